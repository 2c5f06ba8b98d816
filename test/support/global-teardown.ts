/** After all tests: ends the Temporal dev server of the run. */
export default async function teardown(): Promise<void> {
  await globalThis.golemTestTemporal?.close();
}
