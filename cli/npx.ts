/**
 * `npx golem-temporal devnet` is npm, a shell, and we below it. Who ends npm by its pid ends the shell with it, which tells us
 * nothing: we would go on for ever.
 */
const LOOK_EVERY_MS = 500;

/** Ends this process, as SIGTERM does, when npx was ended that has started it. */
export function endWithNpx(): void {
  if (process.env.npm_command !== 'exec' || process.platform === 'win32') return;
  const parent = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(looking);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_EVERY_MS);
  looking.unref();
}
