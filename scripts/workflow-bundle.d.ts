/** For the tests' global setup, which is TypeScript. */
export function bundleWorkflows(): Promise<void>;
export function bundleIfStale(): Promise<void>;
