/**
 * Checks a job spec and completes it: the short form made full, every default filled in. All mistakes are found
 * in one go. Not for workflows, which get the finished `JobSpec`; finding out where the image is, a side effect, is
 * left to `activities/image.ts`.
 */
import { exact } from './amount';
import {
  type Duration,
  durationClasses,
  type DurationClasses,
  type WantedDuration,
  applyDurationClass,
} from './duration-classes';
import { DEFAULT_CONNECTION } from './ids';
import { type ImageSource, readImageSource } from './image-source';
import type {
  BudgetSpec,
  DemandSpec,
  JobSpec,
  PricingSpec,
  ProvidersSpec,
  TaskFile,
  ToleranceSpec,
} from './job';
import { nearestKey } from './nearest-key';
import type { NamedBroker } from './payer';
import { SELECTION_STRATEGIES } from './selection';
import { isNewer, jobSpecSchema, type WrittenSpec } from './spec-schema';
import {
  type Check,
  type Path,
  type SpecProblem,
  checkBeyond,
  shapeProblems,
  writePath,
} from './spec-problems';
import { completeCommands, completeTasks } from './spec-tasks';

/** Where a spec says nothing of it. */
export const INVOICE_WAIT_SEC = 86_400;
export const TOLERANCE: ToleranceSpec = { usageSec: 10, usageRatio: 0.05 };

/** Defaults that a worker sets for its specs. */
export interface SpecSettings {
  subnetTag?: string;
  network?: string;
  driver?: string;
  durationClasses?: Partial<DurationClasses>;
  /** Names of the selection strategies registered in the worker, besides the built-in ones. Default: not checked. */
  strategies?: readonly string[];
}

/** The image of a spec, before it is known where it is. */
export type UnresolvedImage = ImageSource & { label: string };

/** The budget, before it is known whose wallet its payer is. */
export type UnresolvedBudget = Omit<BudgetSpec, 'payer'> & { payer?: Omit<NamedBroker, 'address'> };

/** A file of tasks that was not read yet. */
export type UnreadTaskFile = Pick<TaskFile, 'from' | 'resultsTo' | 'availableSec'> & {
  /** What the spec says; what fits shows when the file is read. */
  outputLimitBytes?: number;
};

/** A job spec, checked and complete but for its image, its payer, and what is in a file of tasks. */
export type ParsedSpec = Omit<JobSpec, 'image' | 'budget' | 'taskFile'> & {
  image: UnresolvedImage;
  budget: UnresolvedBudget;
  taskFile?: UnreadTaskFile;
};

export type SpecReading =
  | { ok: true; spec: ParsedSpec }
  /** `at` says for each problem where it is, `[]` for the whole. */
  | { ok: false; problems: string[]; at: Path[] };

/** A spec travels as one payload, of which Temporal takes 2 MB, and its results come back as one. */
const MAX_SPEC_BYTES = 1_000_000;
const RESULT_BYTES = 1_200_000;
const MAX_OUTPUT_BYTES = 65_536;
const MIN_OUTPUT_BYTES = 512;
/** With so many commands, even the least outputs and what is around them come close to 2 MB. */
const MAX_COMMANDS = 1500;
/** Characters of all problems: a failure holds them twice, and nobody reads more. */
const MAX_PROBLEM_TEXT = 40_000;
const MAX_RENTALS_BY_DEFAULT = 4;

/**
 * Checks what a user wrote.
 *
 * @returns the complete spec, or every problem as one line each, `tasks[3].timeoutSec: …`; of very many the first, and how
 * many more there are
 */
export function parseJobSpec(input: unknown, settings: SpecSettings = {}): SpecReading {
  const oversize = sizeProblem(input);
  if (oversize !== undefined) return { ok: false, problems: [oversize], at: [[]] };

  const shape = jobSpecSchema.safeParse(input);
  const problems = shape.error ? shapeProblems(jobSpecSchema, shape.error) : [];
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return failed(problems);
  // What else is wrong with it may be right there.
  if (isNewer((input as { version?: unknown }).version))
    return failed(problems.filter(({ path }) => path[0] === 'version'));

  // Parts whose shape is right are checked further even when others are not, so that all mistakes show at once.
  const check = checkBeyond(problems);
  const spec = complete(input as WrittenSpec, settings, check);
  return problems.length > 0 ? failed(problems) : { ok: true, spec };
}

function failed(problems: readonly SpecProblem[]): SpecReading {
  const lines: string[] = [];
  const at: Path[] = [];
  let length = 0;
  for (const { path, text } of problems) {
    const line = `${writePath(path)}: ${text}`;
    length += line.length;
    if (length > MAX_PROBLEM_TEXT) break;
    lines.push(line);
    at.push(path);
  }
  const more = problems.length - lines.length;
  if (more === 0) return { ok: false, problems: lines, at };
  return { ok: false, problems: [...lines, `spec: and ${more} more problems`], at: [...at, []] };
}

function sizeProblem(input: unknown): string | undefined {
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch {
    return 'spec: is no JSON; it refers to itself, or holds what JSON cannot';
  }
  // A UTF-16 unit takes up to three bytes, so a short text needs no exact count.
  const bytes = text === undefined ? 0 : text.length * 3 > MAX_SPEC_BYTES ? utf8Bytes(text) : 0;
  if (bytes <= MAX_SPEC_BYTES) return undefined;
  return `spec: is ${bytes} bytes long, and at most ${MAX_SPEC_BYTES} can travel; let tasks fetch their data by transfer, or start several jobs`;
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** The spec with all defaults. Parts that are not sound get defaults too; then the result is not used. */
function complete(written: WrittenSpec, settings: SpecSettings, check: Check): ParsedSpec {
  const classes = durationClasses(settings.durationClasses);
  const demand = completeDemand(written, settings, classes, check);
  const interactive = check.isSound(['interactive']) ? (written.interactive ?? false) : false;
  const availableSec = demand.expirationSec - classes.reservedSec;
  const tasks = completeTasks(written.tasks, availableSec, check);
  const taskFile = completeTaskFile(written, availableSec, check);
  checkTasksFit(written, interactive, check);
  const vms = taskFile ? Infinity : new Set(tasks.map((task) => task.vm)).size;
  const setup = completeCommands(written.setup ?? [], ['setup'], check);
  if (setup.length > MAX_COMMANDS) {
    check.refuse(
      ['setup'],
      `has ${setup.length} commands, and at most ${MAX_COMMANDS} go into one script; join lines with &&`,
    );
  }
  const commands = tasks.reduce((sum, task) => sum + task.commands.length, 0);
  if (commands > MAX_COMMANDS) {
    check.refuse(
      ['tasks'],
      `have ${commands} commands in all, and at most ${MAX_COMMANDS} results fit into the job's; join lines with && or start several jobs`,
    );
  }
  return {
    image: completeImage(written.image, check),
    connection: written.connection ?? DEFAULT_CONNECTION,
    budget: completeBudget(written.budget, settings, check),
    demand,
    pricing: completePricing(written.pricing, check),
    providers: completeProviders(written.providers, interactive ? 1 : vms, settings, check),
    setup,
    tasks,
    ...(taskFile === undefined ? {} : { taskFile }),
    interactive,
    ...(written.vmsAtOnce === undefined ? {} : { vmsAtOnce: written.vmsAtOnce }),
    outputLimitBytes: completeOutputLimit(written.outputLimitBytes, taskFile ? 1 : commands, check),
    invoiceWaitSec: written.invoiceWaitSec ?? INVOICE_WAIT_SEC,
    tolerance: {
      usageSec: written.tolerance?.usageSec ?? TOLERANCE.usageSec,
      usageRatio: written.tolerance?.usageRatio ?? TOLERANCE.usageRatio,
    },
    ...(written.control === undefined ? {} : { control: written.control }),
    ...(written.notify === undefined ? {} : { notify: written.notify }),
  };
}

function checkTasksFit(written: WrittenSpec, interactive: boolean, check: Check): void {
  if (!check.isSound(['interactive']) || !check.isReadable(['tasks'])) return;
  const count = Array.isArray(written.tasks) ? written.tasks.length : written.tasks ? 1 : 0;
  if (interactive && count > 0) {
    check.refuse(['tasks'], 'an interactive job has none; leave them out, or set interactive to false');
  }
  if (!interactive && written.vmsAtOnce !== undefined && check.isSound(['vmsAtOnce'])) {
    check.refuse(['vmsAtOnce'], 'is for interactive jobs; leave it out, or set interactive to true');
  }
  if (!interactive && count === 0) {
    check.refuse(['tasks'], 'has nothing to run; give at least one task, or set interactive to true');
  }
}

/** The file itself is read by the activity that asked for this. */
function completeTaskFile(
  { tasks, resultsTo, outputLimitBytes }: WrittenSpec,
  availableSec: number,
  check: Check,
): UnreadTaskFile | undefined {
  const isFile = check.isSound(['tasks']) && typeof tasks === 'object' && !Array.isArray(tasks);
  if (!isFile) {
    if (resultsTo !== undefined && check.isSound(['tasks']))
      check.refuse(
        ['resultsTo'],
        'belongs to tasks.from; results of tasks in the spec come with the result of the job',
      );
    return undefined;
  }
  if (resultsTo === undefined) {
    check.refuse(
      ['resultsTo'],
      'is missing; results of tasks.from are written there, to "https://…/results-{part}.jsonl" for instance',
    );
    return undefined;
  }
  if (check.isSound(['resultsTo']) && !/^https?:\/\/[^/?#]+[/?#].*\{part\}/i.test(resultsTo)) {
    check.refuse(
      ['resultsTo'],
      'has no {part} in its path or query; put it where the number of a part goes, as in "https://…/results-{part}.jsonl"',
    );
  }
  const limit = check.isSound(['outputLimitBytes']) ? outputLimitBytes : undefined;
  return { from: tasks.from, resultsTo, availableSec, outputLimitBytes: limit };
}

function completeImage(image: WrittenSpec['image'], check: Check): UnresolvedImage {
  const none: UnresolvedImage = { tag: '', label: '' };
  if (!check.isSound(['image'])) return none;
  if (typeof image === 'string') {
    const source = readImageSource(image);
    if (source !== undefined) return { ...source, label: image };
    check.refuse(
      ['image'],
      'is neither a tag such as "golem/alpine:latest", nor a SHA3-224 hash of 56 hex digits, nor "hash:sha3:<hash>:<url>", nor an http(s) URL',
    );
    return none;
  }
  const { tag, url } = image;
  const hash = image.hash?.toLowerCase();
  if (tag !== undefined && (hash !== undefined || url !== undefined)) {
    check.refuse(['image'], 'names two images; give either tag, or hash, or url (with its hash)');
  } else if (tag !== undefined) {
    return { tag, label: tag };
  } else if (url !== undefined) {
    return { url, ...(hash === undefined ? {} : { hash }), label: url };
  } else if (hash !== undefined) {
    return { hash, label: hash };
  } else if (!check.hasUnknownKey(['image'])) {
    check.refuse(['image'], 'names no image; give tag, hash or url');
  }
  return none;
}

function completeBudget(
  budget: WrittenSpec['budget'],
  settings: SpecSettings,
  check: Check,
): UnresolvedBudget {
  const full = typeof budget === 'object' && budget !== null ? budget : { amount: budget };
  const amountPath = typeof budget === 'string' ? ['budget'] : ['budget', 'amount'];
  if (check.isSound(amountPath) && exact(full.amount).isZero()) {
    check.refuse(amountPath, 'is 0; nothing runs for nothing, so give more');
  }
  checkMost(full, check);
  checkPayers(full, check);
  if (!check.isSound(['budget'])) return { amount: '0', network: '', driver: '', token: '', onLow: 'finish' };
  return {
    amount: full.amount,
    ...completePlatform(full, settings),
    onLow: full.onLow ?? 'finish',
    ...(full.max === undefined ? {} : { max: full.max }),
    ...(full.payer && { payer: { url: full.payer.broker.replace(/\/+$/, ''), deposit: full.payer.deposit } }),
    ...(full.deposit && { deposit: { ...full.deposit, contract: full.deposit.contract.toLowerCase() } }),
  };
}

/** On which platform is paid, where a spec says nothing or a part of it. */
export function completePlatform(
  given: Partial<Pick<BudgetSpec, 'network' | 'driver' | 'token'>>,
  settings: Pick<SpecSettings, 'network' | 'driver'>,
): Pick<BudgetSpec, 'network' | 'driver' | 'token'> {
  const network = (given.network ?? settings.network ?? 'holesky').toLowerCase();
  const isMainNetwork = network === 'mainnet' || network === 'polygon';
  return {
    network,
    driver: (given.driver ?? settings.driver ?? 'erc20').toLowerCase(),
    token: (given.token ?? (isMainNetwork ? 'glm' : 'tglm')).toLowerCase(),
  };
}

/** One payer at most, and of what it was prepaid no more is there than there is. */
function checkPayers({ payer, deposit, onLow }: Exclude<WrittenSpec['budget'], string>, check: Check): void {
  if (payer === undefined || !check.isReadable(['budget', 'payer'])) return;
  if (deposit !== undefined && check.isReadable(['budget', 'deposit']))
    check.refuse(['budget', 'deposit'], 'names a second payer beside budget.payer; keep one of them');
  if (onLow === 'topUp' || onLow === 'pause') {
    const why = 'what a broker pays is fixed by its deposit';
    check.refuse(['budget', 'onLow'], `cannot be "${onLow}" with budget.payer: ${why}; leave it out`);
  }
}

/** `max` goes with `topUp`, and is no less than what is reserved at first. */
function checkMost({ amount, onLow, max }: Exclude<WrittenSpec['budget'], string>, check: Check): void {
  if (!check.isSound(['budget', 'onLow']) || !check.isSound(['budget', 'max'])) return;
  if (onLow === 'topUp' && max === undefined) {
    check.refuse(['budget', 'max'], 'is missing; with onLow "topUp" it is the most that may be reserved');
  } else if (onLow !== 'topUp' && max !== undefined) {
    check.refuse(['budget', 'max'], 'belongs to onLow "topUp"; set that, or leave it out');
  } else if (max !== undefined && check.isSound(['budget', 'amount']) && exact(max).lt(exact(amount))) {
    check.refuse(['budget', 'max'], `is ${max}, less than the amount of ${amount}; set at least that`);
  }
}

function completeDemand(
  spec: WrittenSpec,
  settings: SpecSettings,
  classes: DurationClasses,
  check: Check,
): DemandSpec {
  const written = check.isSound(['demand']) ? (spec.demand ?? {}) : {};
  const upfrontSec = check.isSound(['demand', 'upfrontSec']) ? spec.demand?.upfrontSec : undefined;
  const { duration, problems } = applyDurationClass(
    withTimeToUse(soundDuration(spec.demand, check), upfrontSec, classes),
    classes,
  );
  if (upfrontSec !== undefined && duration.expirationSec <= upfrontSec) {
    check.refuse(
      ['demand', 'upfrontSec'],
      `${upfrontSec} s are to be paid in advance, but the agreement ends after ${duration.expirationSec} s (expirationSec)`,
    );
  }
  for (const { field, problem } of problems) check.refuse(['demand', field], problem);
  const needsTime = !(check.isSound(['interactive']) && spec.interactive === true);
  if (
    needsTime &&
    duration.expirationSec >= classes.minExpirationSec &&
    duration.expirationSec - classes.reservedSec < 1
  ) {
    check.refuse(
      ['demand', 'expirationSec'],
      `${duration.expirationSec} s leave no time for tasks: providers do not sign in the last ${classes.reservedSec} s, so set more`,
    );
  }
  return {
    subnetTag: written.subnetTag ?? settings.subnetTag ?? 'public',
    ...duration,
    ...(upfrontSec === undefined ? {} : { upfrontSec }),
    ...(written.least === undefined ? {} : { least: written.least }),
    leastLifeSec: classes.reservedSec,
    maxOfferEvents: written.maxOfferEvents ?? 100,
    offerFetchingIntervalSec: written.offerFetchingIntervalSec ?? 20,
    proposalTimeoutSec: written.proposalTimeoutSec ?? 20,
    minCpuCores: written.minCpuCores ?? 1,
    minCpuThreads: written.minCpuThreads ?? 1,
    minMemGib: written.minMemGib ?? 0.5,
    minStorageGib: written.minStorageGib ?? 2,
    runtime: written.runtime ?? 'vm',
    capabilities: written.capabilities ?? [],
  };
}

/** What is paid in advance is to be used before the agreement ends, where the spec does not say when that is. */
function withTimeToUse(
  wanted: WantedDuration,
  upfrontSec: number | undefined,
  classes: DurationClasses,
): WantedDuration {
  if (upfrontSec === undefined || wanted.expirationSec !== undefined) return wanted;
  return {
    ...wanted,
    expirationSec: Math.max(classes.defaultExpirationSec, upfrontSec + classes.reservedSec),
  };
}

const DURATION_FIELDS = [
  'expirationSec',
  'debitNotesAcceptanceTimeoutSec',
  'midAgreementDebitNoteIntervalSec',
  'midAgreementPaymentTimeoutSec',
] as const satisfies readonly (keyof Duration)[];

function soundDuration(demand: WrittenSpec['demand'], check: Check): WantedDuration {
  if (typeof demand !== 'object' || demand === null) return {};
  return Object.fromEntries(
    DURATION_FIELDS.filter((field) => check.isSound(['demand', field])).map((field) => [
      field,
      demand[field],
    ]),
  );
}

function completePricing(pricing: WrittenSpec['pricing'], check: Check): PricingSpec {
  return check.isSound(['pricing']) ? { ...pricing } : {};
}

function completeProviders(
  providers: WrittenSpec['providers'],
  vms: number,
  settings: SpecSettings,
  check: Check,
): ProvidersSpec {
  const written = check.isSound(['providers']) ? (providers ?? {}) : {};
  const allow = (written.allow ?? []).map((id) => id.toLowerCase());
  const deny = (written.deny ?? []).map((id) => id.toLowerCase());
  allow.forEach((id, i) => {
    if (deny.includes(id))
      check.refuse(['providers', 'allow', i], 'is in providers.deny too; keep it in one of them');
  });
  const select = written.select ?? 'cheapest';
  checkStrategy(select, settings, check);
  return {
    max: written.max ?? Math.min(MAX_RENTALS_BY_DEFAULT, Math.max(1, vms)),
    allow,
    deny,
    select,
  };
}

function checkStrategy(select: string, settings: SpecSettings, check: Check): void {
  if (settings.strategies === undefined) return;
  const strategies = [...Object.keys(SELECTION_STRATEGIES), ...settings.strategies];
  if (strategies.includes(select)) return;
  const nearest = nearestKey(select, strategies);
  const hint = nearest === undefined ? `it has ${strategies.join(', ')}` : `did you mean "${nearest}"?`;
  check.refuse(['providers', 'select'], `the worker has no strategy of that name, ${hint}`);
}

/** All outputs of a job must fit into its one result, so the more commands, the less of each. */
function completeOutputLimit(written: number | undefined, commands: number, check: Check): number {
  const fitting = Math.floor(RESULT_BYTES / Math.max(1, commands) / 2);
  const usual = Math.max(MIN_OUTPUT_BYTES, Math.min(MAX_OUTPUT_BYTES, fitting));
  if (written === undefined || !check.isSound(['outputLimitBytes'])) return usual;
  const most = Math.max(MIN_OUTPUT_BYTES, fitting);
  if (written > most) {
    check.refuse(
      ['outputLimitBytes'],
      `with ${commands} commands at most ${most}, or the outputs do not fit into the job's result; let tasks transfer large outputs`,
    );
  }
  return written;
}
