/** What a page may do to a job: cancel, terminate, top up. Signing is not among it: no key is ever in this process. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { GolemClient } from '../client/index';
import { AMOUNT } from '../model/amount';
import { troubleOf, type Trouble } from './trouble';

const ANSWER_LIMIT_MS = 20_000;

const job = z.strictObject({ id: z.string().min(1).max(1000) });
const ending = job.extend({ reason: z.string().max(200).optional() });
const raising = job.extend({
  amount: z.string().regex(AMOUNT, 'give GLM such as 0.5, with at most 18 decimals'),
  /** The same for each repeat of one click, so that the budget is raised once. */
  updateId: z.string().regex(/^[\w-]{8,64}$/),
});

export interface ActionAnswer {
  /** `asked`: nobody has answered yet; it may still be done. */
  outcome: 'done' | 'over' | 'asked' | 'refused' | 'failed';
  message: string;
  action?: string;
  /** What to run where the job has an owner, whose key must sign. */
  command?: string;
}

export function actionRoutes(app: FastifyInstance, golem: GolemClient): void {
  app.post('/api/job/cancel', async (request) => {
    const { id } = job.parse(request.body);
    return await answer(golem, `golem-temporal cancel ${word(id)}`, async () =>
      (await golem.cancel(id))
        ? done('Asked to end: its rentals are closed, and what is owed is paid.')
        : over(),
    );
  });

  app.post('/api/job/terminate', async (request) => {
    const { id, reason } = ending.parse(request.body);
    return await answer(golem, `golem-temporal terminate ${word(id)} --key FILE`, async () =>
      (await golem.terminate(id, reason))
        ? done('It ends in good order: what is done is kept, and what is owed is paid.')
        : over(),
    );
  });

  app.post('/api/job/top-up', async (request) => {
    const { id, amount, updateId } = raising.parse(request.body);
    return await answer(golem, `golem-temporal topup ${word(id)} ${amount} --key FILE`, async () => {
      const { reserved, budget } = await golem.topUp(id, amount, { updateId });
      return done(`The budget is ${budget} GLM now, of which ${reserved} are reserved.`);
    });
  });
}

async function answer(
  golem: GolemClient,
  command: string,
  act: () => Promise<ActionAnswer>,
): Promise<ActionAnswer> {
  try {
    return await golem.client.withDeadline(Date.now() + ANSWER_LIMIT_MS, act);
  } catch (error) {
    return answerTo(await troubleOf(golem, error), command);
  }
}

function answerTo({ kind, message, action }: Trouble, command: string): ActionAnswer {
  switch (kind) {
    case 'refused':
      return {
        outcome: 'refused',
        message: 'This job has an owner, and this page has no key to sign with.',
        action: 'Run this with a key of the owner, or one that has a grant:',
        command,
      };
    case 'worker':
    case 'temporal':
      return { outcome: 'asked', message: `${message} What was asked for may still be done.`, action };
    default:
      return { outcome: 'failed', message, action };
  }
}

const done = (message: string): ActionAnswer => ({ outcome: 'done', message });
const over = (): ActionAnswer => ({ outcome: 'over', message: 'The job is over already.' });

/** As a shell takes it for one word. */
function word(value: string): string {
  return /^[\w./:@%+=,-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
