/** What the workflows of recorded histories have returned, as a program in another language reads it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SchemaName } from '../../model/json-schema';

const SCHEMA_OF: Record<string, SchemaName> = { golemJob: 'result', golemSettlement: 'settlement' };

interface Payloads {
  payloads?: { data: string }[];
}

interface History {
  events: {
    workflowExecutionStartedEventAttributes?: { workflowType: { name: string } };
    workflowExecutionCompletedEventAttributes?: { result?: Payloads };
  }[];
}

export interface Recorded {
  file: string;
  schema: SchemaName;
  result: unknown;
}

/** Of jobs and settlements that came to their end. */
export function resultsIn(folder: string): Recorded[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.json'),
  );
  return files.sort().flatMap((file) => {
    const { events } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as History;
    const type = events[0]?.workflowExecutionStartedEventAttributes?.workflowType.name ?? '';
    const payload = events.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads?.[0];
    const schema = SCHEMA_OF[type];
    if (!schema || !payload) return [];
    return [{ file, schema, result: JSON.parse(Buffer.from(payload.data, 'base64').toString()) as unknown }];
  });
}
