/** Effects, faults and open things of a devnet, as lines to read. */

/** `12  2026-11-25T10:00:00.123Z  agreement-approved  by provider steady  agreementId=…`. */
export function effectLine(effect: { seq: number; at: string; kind: string; cause?: string }): string {
  const { seq, at, kind, cause = '', ...fields } = effect;
  return [String(seq).padStart(5), at.padEnd(30), kind.padEnd(22), cause, ...pairs(fields)].join('  ');
}

export function faultLine(fault: {
  id: string;
  on: string;
  do: string;
  matches: number;
  hits: number;
}): string {
  const { id, on, do: action, matches, hits, ...fields } = fault;
  const acted = matches === 0 ? 'no match yet' : `acted on ${hits} of ${count(matches, 'match', 'matches')}`;
  return [id, `${action} on ${on}`, ...pairs(fields), acted].join('  ');
}

export function openLines(open: {
  counts: Record<string, number>;
  allocations: string[];
  demands: string[];
  agreements: { id: string; state: string }[];
  activities: { activityId: string; agreementId: string }[];
}): string[] {
  return [
    Object.entries(open.counts)
      .map(([name, count]) => `${name}: ${count}`)
      .join(', '),
    ...open.allocations.map((id) => `allocation ${id}`),
    ...open.demands.map((id) => `demand ${id}`),
    ...open.agreements.map(({ id, state }) => `agreement ${id} ${state}`),
    ...open.activities.map(
      ({ activityId, agreementId }) => `activity ${activityId} of agreement ${agreementId}`,
    ),
  ];
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function pairs(fields: object): string[] {
  return Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
}

/** Of what is listed, such as the offers that a requestor has read, how many there are. */
function shown(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item === 'object')) return String(value.length);
  return JSON.stringify(value);
}
