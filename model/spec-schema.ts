/**
 * The shape of a job spec as a user writes it, short and full form, field by field. It says what each field
 * means and what it must look like; what fields mean together, and every default, is `spec.ts`.
 * Not for workflows: zod does not belong into their bundle.
 */
import { z } from 'zod';
import { MOST_VMS } from './rental-limits';
import { AMOUNT } from './amount';
import { CONTROL_KEY } from './control';
import { UNPRINTABLE } from './foreign-text';
import { IMAGE_HASH, IMAGE_TAG, IMAGE_URL } from './image-source';

export const MAX_TASKS = 500;

/** Of specs. A later one is one that this version would misread. */
export const SPEC_VERSION = 1;

const PRINTABLE = new RegExp(`^[^${UNPRINTABLE}]*$`);
/** Constraints are written in a filter language of its own, where other characters have a meaning. */
const PLAIN_WORD = /^[A-Za-z0-9_.:+-]+$/;

/** `must be …`, and what was there instead; `is missing` where nothing was. */
function mustBe(what: string): { error: (issue: { input?: unknown }) => string } {
  return {
    error: ({ input }) =>
      input === undefined ? `is missing; it must be ${what}` : `must be ${what}${insteadOf(input)}`,
  };
}

function insteadOf(input: unknown): string {
  if (input === '') return ', not empty';
  if (input === null) return ', not null';
  if (Array.isArray(input)) return ', not a list';
  if (typeof input === 'object') return ', not an object';
  const text = JSON.stringify(input) ?? String(input);
  return `, not ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`;
}

function whole(unit: string, min: number, max: number) {
  const rule = mustBe(`a whole number of ${unit} from ${min} to ${max}`);
  return z.number(rule).int(rule).min(min, rule).max(max, rule);
}

function measure(unit: string, min: number, max: number) {
  const rule = mustBe(`a number of ${unit} from ${min} to ${max}`);
  return z.number(rule).min(min, rule).max(max, rule);
}

function matching(pattern: RegExp, what: string) {
  return z.string(mustBe(what)).regex(pattern, mustBe(what));
}

/** A URL may hold a signature: what is wrong with it is said without it. */
function url(what: string) {
  const rule = {
    error: ({ input }: { input?: unknown }) =>
      typeof input === 'string'
        ? `must be ${what} without user name and password`
        : mustBe(what).error({ input }),
  };
  return z
    .string(rule)
    .max(4000, rule)
    .regex(/^https?:\/\/[^\s/?#@\\]+([/?#]\S*)?$/i, rule)
    .refine((text) => URL.canParse(text), rule);
}

function name(what: string) {
  const rule = mustBe(`${what}: 1 to 100 characters, none of them a control character`);
  return z.string(rule).min(1, rule).max(100, rule).regex(PRINTABLE, rule);
}

const MONEY = 'an amount of GLM as a decimal string such as "0.5", with at most 18 decimals';

function money() {
  const rule = {
    error: ({ input }: { input?: unknown }) => {
      if (typeof input !== 'number') return mustBe(MONEY).error({ input });
      const text = String(input);
      const example = AMOUNT.test(text)
        ? `write "${text}" in quotes`
        : 'write it as a decimal string such as "0.5"';
      return `is a JSON number, which loses digits of money; ${example}`;
    },
  };
  return z.string(rule).regex(AMOUNT, rule);
}

const SECONDS_A_YEAR = 31_536_000;
/** Commands are sent as yagna takes them; no line of a shell needs more. */
const line = (what: string) =>
  z
    .string(mustBe(what))
    .min(1, mustBe(what))
    .regex(/^[^\0]*$/, mustBe(`${what}, without NUL characters`));

const command = z.union(
  [
    line('a shell line').describe('A line for `sh -c`.'),
    z
      .strictObject({
        run: line('a shell line, or the path of a program when args are given')
          .describe('A line for `sh -c`, or with `args` the path of a program.')
          .optional(),
        args: z
          .array(z.string(mustBe('a string')), mustBe('a list of strings'))
          .describe('Arguments of the program, which then runs without a shell.')
          .optional(),
        transfer: z
          .strictObject(
            {
              from: line('an http(s) or file URL, or a path in the VM such as "/golem/input/x"').describe(
                'A URL that the provider reads, or a path in the VM such as `/golem/input/x`.',
              ),
              to: line('an http(s) or file URL, or a path in the VM such as "/golem/output/x"').describe(
                'A URL that the provider writes to (HTTP PUT), or a path in the VM.',
              ),
            },
            mustBe('an object with from and to'),
          )
          .describe('In place of `run`: a file to copy.')
          .optional(),
      })
      .meta({ oneOf: [{ required: ['run'] }, { required: ['transfer'] }] })
      .describe('`run` a shell line, or a program with `args`; or `transfer` a file `from` … `to` ….'),
  ],
  mustBe('a shell line, or an object with run or transfer'),
);

const task = z.union(
  [
    line('a shell line').describe('A task of one shell line.'),
    z.strictObject({
      name: name('a name').describe('Unique in the job. Default: `task-<position, from 1>`.').optional(),
      vm: name('the name of a VM')
        .describe(
          'Tasks with the same `vm` run in one VM, one after the other. Default: in whichever VM is free.',
        )
        .optional(),
      commands: z
        .array(command, mustBe('a list of commands'))
        .min(1, 'has no commands; give at least one')
        .describe(
          'Run one after the other, up to the first that fails: shell lines, or objects with `run` or `transfer`.',
        ),
      timeoutSec: whole('seconds', 1, SECONDS_A_YEAR)
        .describe(
          'Longest time for the whole task, seconds; with a checkpoint, of an attempt over all its agreements. Default 3600, or without one what `demand.expirationSec` leaves.',
        )
        .optional(),
      maxAttempts: whole('attempts', 1, 100)
        .describe(
          'Attempts in all, on different providers where there are any. Going on from a checkpoint when an agreement has come to its end is no other attempt. Default 3.',
        )
        .optional(),
      onUncertain: z
        .enum(['freshVm', 'rerun', 'fail'], mustBe('"freshVm", "rerun" or "fail"'))
        .describe('What to do when it is not known whether the task was started. Default `freshVm`.')
        .optional(),
      checkpoint: z
        .strictObject(
          {
            files: z
              .array(line('an absolute path in the VM'), mustBe('a list of paths in the VM'))
              .min(1, 'names no files; give at least one')
              .max(100, 'names too many; at most 100, of which each may be a folder')
              .describe('Files or folders in a volume of the image, such as `/golem/work/state`.'),
            to: line('an http(s) URL or a file of the worker such as "files:/checkpoint.tar"').describe(
              'Where they go as one tar file, at an interval.',
            ),
            from: line('an http(s) URL or a file of the worker such as "files:/checkpoint.tar"')
              .describe('Where they come from in the next VM. Default: `to`.')
              .optional(),
            everySec: whole('seconds', 5, 86_400).describe('Seconds between two. Default 600.').optional(),
          },
          mustBe('an object with files and to'),
        )
        .describe(
          'Keeps what a long task has reached, for an attempt elsewhere. The image needs `sh` and `tar`.',
        )
        .optional(),
    }),
  ],
  mustBe('a shell line, or an object with commands'),
);

const image = z.union(
  [
    z
      .string()
      .min(1, 'is empty; give a tag, a hash or a URL')
      .describe('A tag, a SHA3-224 hash, `hash:sha3:<hash>:<url>`, or a URL.'),
    z
      .strictObject({
        tag: matching(IMAGE_TAG, 'a tag such as "golem/alpine:latest"')
          .describe('As the Golem registry has it, such as `golem/alpine:latest`.')
          .optional(),
        hash: matching(IMAGE_HASH, 'a SHA3-224 hash of 56 hex digits')
          .describe('SHA3-224, 56 hex digits: of an image in the registry, or of the one at `url`.')
          .optional(),
        url: matching(IMAGE_URL, 'an http(s) URL')
          .describe('Of an image file of your own. Without its `hash` the worker downloads it for that.')
          .optional(),
      })
      .describe('`tag` or `hash` as the Golem registry has it, or `url`, preferably with its `hash`.'),
  ],
  mustBe('a tag such as "golem/alpine:latest", or an object with tag, hash or url'),
);

const platformWord = (what: string) => matching(/^[A-Za-z0-9]+$/, what);

const budget = z.union(
  [
    money().describe('The most GLM the job may cost.'),
    z.strictObject({
      amount: money().describe(
        'GLM that are reserved for the job: the most that it may cost, unless it is topped up.',
      ),
      network: platformWord('a payment network such as "holesky" or "polygon"')
        .describe('Default `holesky`.')
        .optional(),
      driver: platformWord('a payment driver such as "erc20"').describe('Default `erc20`.').optional(),
      token: platformWord('a token such as "tglm" or "glm"')
        .describe('Default `glm` on `mainnet` and `polygon`, else `tglm`.')
        .optional(),
      onLow: z
        .enum(['finish', 'topUp', 'pause'], mustBe('"finish", "topUp" or "pause"'))
        .describe(
          'What to do when little of it is left. Default `finish`: begin no task any more. `topUp`: reserve more, up to `max`. `pause`: wait for the Update `topUp`.',
        )
        .optional(),
      max: money()
        .describe('With `onLow: "topUp"`, and only with it: the most GLM the job may cost in the end.')
        .optional(),
      payer: z
        .strictObject(
          {
            broker: matching(IMAGE_URL, 'the http(s) URL of a broker').describe('URL of the broker.'),
            deposit: matching(/^[\w.:-]{1,100}$/, 'the id of a deposit with the broker').describe(
              'Id of what was prepaid, of which the job may use up to `amount`.',
            ),
          },
          mustBe('an object with broker and deposit'),
        )
        .describe(
          'A broker decides and pays the bills, in place of this yagna, which may be away (see docs/offline-requestor.md). Only providers that send their bills to one are taken. Default none.',
        )
        .optional(),
      deposit: z
        .strictObject(
          {
            id: matching(/^(0x)?[0-9a-fA-F]{1,64}$/, 'a number of up to 256 bits in hex').describe(
              'Of the deposit, a number in hex.',
            ),
            contract: matching(/^0x[0-9a-fA-F]{40}$/, 'an address: 0x and 40 hex digits').describe(
              'Address of the contract that holds it.',
            ),
          },
          mustBe('an object with id and contract'),
        )
        .describe('A funded contract pays what is accepted, in place of your account. Default none.')
        .optional(),
    }),
  ],
  {
    error: ({ input }) =>
      typeof input === 'number'
        ? (money().safeParse(input).error?.issues[0]?.message ?? '')
        : mustBe(`${MONEY}, or an object with amount`).error({ input }),
  },
);

const negotiable = (what: string) =>
  whole('seconds', 0, SECONDS_A_YEAR).nullable().describe(`${what} null or 0: off.`).optional();

const demand = z.strictObject(
  {
    subnetTag: matching(PLAIN_WORD, 'the name of a subnet').describe('Default `public`.').optional(),
    expirationSec: whole('seconds', 1, SECONDS_A_YEAR)
      .describe('Life of the demand and of what is rented under it, seconds. Default 1800, at least 300.')
      .optional(),
    debitNotesAcceptanceTimeoutSec: negotiable(
      'Debit notes are accepted within so many seconds. Default 240 over 30 min.',
    ),
    midAgreementDebitNoteIntervalSec: negotiable(
      'Least seconds between two debit notes. Default 120 over 30 min.',
    ),
    midAgreementPaymentTimeoutSec: negotiable(
      'Payable debit notes are paid within so many seconds. Default 43200 over 10 h.',
    ),
    upfrontSec: whole('seconds', 1, SECONDS_A_YEAR)
      .describe(
        "So many seconds of a VM's life are paid at its beginning, on all threads; then the provider ends it, whether or not anybody is there. Default none: what was used is paid.",
      )
      .optional(),
    least: z
      .strictObject(
        {
          debitNotesAcceptanceTimeoutSec: whole('seconds', 1, SECONDS_A_YEAR)
            .describe('Default 30, or what was asked for if that is less.')
            .optional(),
          midAgreementPaymentTimeoutSec: whole('seconds', 1, SECONDS_A_YEAR)
            .describe('Default: what was asked for.')
            .optional(),
        },
        mustBe('an object'),
      )
      .describe(
        "The least that a provider's counter-proposal may have in place of what is asked for, seconds.",
      )
      .optional(),
    maxOfferEvents: whole('offers', 1, 10_000)
      .describe('Offers read from the market at a time, of which yagna gives at most 100. Default 100.')
      .optional(),
    offerFetchingIntervalSec: whole('seconds', 1, 3600)
      .describe('Longest time a round waits for more offers, seconds. Default 20.')
      .optional(),
    proposalTimeoutSec: whole('seconds', 1, 3600)
      .describe("Longest wait for a provider's answer to our counter-proposal, seconds. Default 20.")
      .optional(),
    minCpuCores: whole('cores', 1, 10_000).describe('Default 1.').optional(),
    minCpuThreads: whole('threads', 1, 10_000).describe('Default 1.').optional(),
    minMemGib: measure('GiB', 0, 1_000_000).describe('Memory. Default 0.5.').optional(),
    minStorageGib: measure('GiB', 0, 1_000_000).describe('Disk. Default 2.').optional(),
    runtime: matching(PLAIN_WORD, 'the name of a runtime such as "vm"').describe('Default `vm`.').optional(),
    capabilities: z
      .array(matching(PLAIN_WORD, 'the name of a capability such as "vpn"'), mustBe('a list of capabilities'))
      .describe('Capabilities that the runtime must have, such as `vpn`. Default none.')
      .optional(),
  },
  mustBe('an object'),
);

const providerList = () =>
  z.array(
    matching(/^0x[0-9a-fA-F]{40}$/, 'a provider id: 0x and 40 hex digits'),
    mustBe('a list of provider ids'),
  );

/** Of a spec that a later version of this package may read. */
export function isNewer(version: unknown): version is number {
  return typeof version === 'number' && Number.isSafeInteger(version) && version > SPEC_VERSION;
}

/** What a line of a file of tasks holds, as if it were a list of one. */
export const taskListSchema = z.strictObject({ tasks: z.array(task) });

/** The whole spec. Strict: a key that is not here is a mistake. */
export const jobSpecSchema = z.strictObject(
  {
    version: z
      .literal(SPEC_VERSION, {
        error: ({ input }) =>
          isNewer(input)
            ? `is ${input}: this golem-temporal knows specs of version ${SPEC_VERSION}; use a newer golem-temporal, here and for the worker`
            : mustBe(`${SPEC_VERSION}, the version of job specs`).error({ input }),
      })
      .describe('Of the spec. Default 1, the only one that there is.')
      .optional(),
    image: image.describe(
      'The image that the VMs run: a tag, a SHA3-224 hash, `hash:sha3:<hash>:<url>`, a URL, or an object.',
    ),
    connection: name('the name of a connection')
      .describe('Which yagna of the worker. Default `default`.')
      .optional(),
    budget: budget.describe('The most that the job may cost, and on which platform it is paid.'),
    demand: demand.describe('What is asked of providers, and for how long.').optional(),
    pricing: z
      .strictObject(
        {
          maxStartPrice: money().describe('GLM for the start of a VM.').optional(),
          maxCpuPerHour: money().describe('GLM for an hour of one CPU thread at work.').optional(),
          maxEnvPerHour: money().describe("GLM for an hour of a VM's life.").optional(),
        },
        mustBe('an object'),
      )
      .describe('Price caps; an offer above any is not taken. Default none.')
      .optional(),
    providers: z
      .strictObject(
        {
          max: whole('providers', 1, MAX_TASKS)
            .describe('Most rentals at a time. Default 4, or fewer when there are fewer VMs.')
            .optional(),
          allow: providerList().describe('Only these providers. Default all.').optional(),
          deny: providerList().describe('Never these providers. Default none.').optional(),
          select: name('the name of a selection strategy')
            .describe(
              '`cheapest` (default), `fastest`, or one registered in the worker. Equal offers: in an order of the job’s own.',
            )
            .optional(),
        },
        mustBe('an object'),
      )
      .describe('Which providers are taken, and how many.')
      .optional(),
    setup: z
      .array(command, mustBe('a list of commands'))
      .describe('Run once in each VM before its first task; written as `tasks[].commands`. Default none.')
      .optional(),
    tasks: z
      .union(
        [
          z
            .array(task)
            .max(
              MAX_TASKS,
              `has more than ${MAX_TASKS} tasks; put them into a file, one a line, and give { "from": its URL }`,
            ),
          z.strictObject({
            from: url('an http(s) URL').describe(
              'In place of a list: http(s) URL of a file with a task a line, each a JSON string or object. It must stay as it is.',
            ),
          }),
        ],
        mustBe('a list of tasks, or an object with from'),
      )
      .describe(
        'What to run: a list of at most 500, each a shell line or an object, or a file of more. May be left out when `interactive`.',
      )
      .optional(),
    resultsTo: url('an http(s) URL')
      .describe(
        'With `tasks.from`, and only with it: URL with `{part}` in it, where a number is put (`00001`). Results are written there by HTTP PUT, in parts of one JSON object a line.',
      )
      .optional(),
    interactive: z
      .boolean(mustBe('true or false'))
      .describe("No tasks of its own; scripts come by the rental's `executeScript` Update. Default false.")
      .optional(),
    vmsAtOnce: whole('VMs', 1, MOST_VMS)
      .describe('With `interactive`: VMs that scripts may have at a time, by name (`vm`). Default 1.')
      .optional(),
    outputLimitBytes: whole('bytes', 1, 1_000_000)
      .describe('stdout and stderr kept of each command. Default 65536, less when there are many commands.')
      .optional(),
    invoiceWaitSec: whole('seconds', 0, SECONDS_A_YEAR)
      .describe('How long a missing final invoice is waited for, seconds. Default 86400.')
      .optional(),
    tolerance: z
      .strictObject(
        {
          usageSec: measure('seconds', 0, 3600).describe('Default 10.').optional(),
          usageRatio: measure('parts of the whole', 0, 1).describe('Default 0.05.').optional(),
        },
        mustBe('an object'),
      )
      .describe("By how much a provider's claimed usage may exceed what we measured.")
      .optional(),
    control: z
      .strictObject(
        {
          owner: matching(
            CONTROL_KEY,
            'an Ed25519 public key, the x of its JWK, 43 characters (`golem-temporal key FILE` makes one)',
          ).describe('Ed25519 public key: the `x` of its JWK, 43 characters of base64url.'),
        },
        mustBe('an object with owner'),
      )
      .optional()
      .describe(
        "Closes the job and what it rents: scripts from outside and control are taken only with a signature by this key, or by one that it has granted that. Temporal's own cancel and terminate are not closed.",
      ),
    notify: z
      .strictObject({ signal: name('the name of a signal') }, mustBe('an object with signal'))
      .describe('Signal by which a parent workflow is told of progress. Default none.')
      .optional(),
  },
  mustBe('a job spec: a JSON object with image, budget and tasks'),
);

export type WrittenSpec = z.input<typeof jobSpecSchema>;
export type WrittenTask = z.input<typeof task>;
export type WrittenCommand = z.input<typeof command>;
