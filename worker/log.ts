/**
 * What our worker process writes to stderr: one line a message. Its users read it to learn what is wrong with a job or
 * a yagna, so failures are told by their names and without the stack of our own code.
 */
import { DefaultLogger, Runtime, type LogEntry } from '@temporalio/worker';

/** Said at each start because the long polls have a worker without workflows; nothing is wrong. */
const EXPECTED = ['No workflows registered, not polling for workflow tasks'];

/** To be called once in a process, before anything else of Temporal's worker. */
export function logPlainly(
  write: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): void {
  const logger = new DefaultLogger('WARN', (entry) => {
    if (!EXPECTED.includes(entry.message)) write(logLine(entry));
  });
  Runtime.install({ logger });
}

export function logLine({ level, message, meta = {}, timestampNanos }: LogEntry): string {
  const at = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const { workflowId, activityType, attempt, error } = meta as Record<string, unknown>;
  const of = [
    activityType,
    workflowId && `of ${String(workflowId)}`,
    typeof attempt === 'number' && attempt > 1 && `(attempt ${attempt})`,
  ];
  const where = of.filter(Boolean).map(String).join(' ');
  return [`${at} ${level} ${message}${where && `: ${where}`}`, error === undefined ? '' : named(error)]
    .filter(Boolean)
    .join(': ');
}

/** The innermost failure by its name; a bug of ours, which has none, with its stack. */
function named(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let last: Error & { type?: unknown } = error;
  while (last.cause instanceof Error && typeof last.type !== 'string') last = last.cause;
  if (typeof last.type === 'string') return `${last.type}: ${last.message.replaceAll('\n', '; ')}`;
  // A workflow's failure comes from another thread, without its type.
  if (last.stack?.startsWith('ApplicationFailure: ')) return last.message.replaceAll('\n', '; ');
  return last.stack ?? last.message;
}
