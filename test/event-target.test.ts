/** What an EventTarget hears of a job's events where their workflow task is done over. */
import type { WorkflowInfo } from '@temporalio/workflow';
import type { GolemEvent } from '../model/events';
import { eventSinks, type GolemEventDetail, type GolemEventNotice } from '../worker/event-target';

const event = (seq: number, details: Record<string, unknown> = {}): GolemEvent => ({
  ...{ seq, name: 'AgreementCreated', at: new Date().toISOString(), details },
});

function listening(): { tell: (run: string, events: GolemEvent[]) => void; heard: GolemEventDetail[] } {
  const target = new EventTarget();
  const heard: GolemEventDetail[] = [];
  target.addEventListener('AgreementCreated', (notice) => heard.push((notice as GolemEventNotice).detail));
  const { fn } = eventSinks(target).golemEvents.kept;
  const tell = (run: string, events: GolemEvent[]): void =>
    void fn({ workflowId: 'job', firstExecutionRunId: run } as WorkflowInfo, 'job', events);
  return { tell, heard };
}

test('an event that its workflow keeps again, at another time, comes once', () => {
  const { tell, heard } = listening();
  tell('run', [event(1), { ...event(2), at: '2026-01-01T00:00:00.000Z' }]);
  tell('run', [event(2), event(3)]);
  expect(heard.map(({ event: { seq } }) => seq)).toEqual([1, 2, 3]);
});

test('one of another content, or of a later job of the same id, is another', () => {
  const { tell, heard } = listening();
  tell('run', [event(1, { agreementId: 'a' })]);
  tell('run', [event(1, { agreementId: 'b' })]);
  tell('later', [event(1, { agreementId: 'a' })]);
  expect(heard).toHaveLength(3);
});

test('of very many events the newest are remembered', () => {
  const { tell, heard } = listening();
  for (let seq = 1; seq <= 1500; seq++) tell('run', [event(seq)]);
  tell('run', [event(1500), event(501)]);
  expect(heard).toHaveLength(1500);
  tell('run', [event(500)]);
  expect(heard).toHaveLength(1501);
});

test('where nobody listens nothing happens', () => {
  const { fn } = eventSinks(undefined).golemEvents.kept;
  expect(() => fn({ workflowId: 'job' } as WorkflowInfo, 'job', [event(1)])).not.toThrow();
});
