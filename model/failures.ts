/**
 * Every failure a user can meet, by name: what happened, what to do, whether a retry can help.
 * `ApplicationFailure.type` is always one of these; what is none of ours is `Timeout` or `Error`.
 */
export interface FailureKind {
  /** What it means, one sentence. */
  means: string;
  /** What the reader can do about it. */
  action: string;
  /** Temporal retries the activity. */
  retryable: boolean;
}

export const FAILURES = {
  InvalidJobSpec: {
    means: 'The job spec has mistakes; every one is listed with its path.',
    action: 'Correct the named fields and start the job again.',
    retryable: false,
  },
  JobIdInUse: {
    means: 'The settlement of an earlier job with the same id still runs, or a rental that it has left.',
    action:
      'Choose another job id, or wait until the earlier job is settled; `golem-temporal reconcile` closes what it has left.',
    retryable: false,
  },
  UnknownConnection: {
    means: 'The spec names a connection that the worker does not have.',
    action:
      'Set YAGNA_APPKEY and YAGNA_API_URL on the worker, or add the name to its GOLEM_CONNECTIONS file.',
    retryable: false,
  },
  ImageNotFound: {
    means:
      'There is no such image: the Golem registry knows none of that tag or hash, or its URL leads to none.',
    action: 'Check the tag, hash or URL, or give the image by hash and URL.',
    retryable: false,
  },
  TasksNotFound: {
    means: 'The server of `tasks.from` refuses the file, or has none.',
    action: 'Check the URL: a worker must be able to read it until the last task has begun.',
    retryable: false,
  },
  TasksUnavailable: {
    means: 'The server of `tasks.from` did not answer, or answered with an error.',
    action: 'Nothing: it is retried. If it lasts, look at that server.',
    retryable: true,
  },
  TasksChanged: {
    means: 'The file of `tasks.from` is not what it was when the job began. Tasks read before are done.',
    action: 'Leave the file as it is while the job runs; start another job for what is not done.',
    retryable: false,
  },
  ResultsNotWritten: {
    means:
      'The server of `resultsTo` does not take results. They are kept, and no more tasks are begun when they are many.',
    action:
      'Nothing but to mend that server: it is tried again for a day. What cannot be written comes with the result of the job.',
    retryable: true,
  },
  RegistryUnavailable: {
    means:
      'The Golem registry, or the server of an image given by URL, did not answer or answered with an error.',
    action:
      'Nothing: it is retried. If it lasts, give the image by hash and URL, or check GOLEM_REGISTRY_URL.',
    retryable: true,
  },
  YagnaUnavailable: {
    means: 'yagna did not answer, or answered with a server error.',
    action: 'Nothing: it is retried. If it lasts, check that yagna runs and that the connection has its URL.',
    retryable: true,
  },
  YagnaUnauthorized: {
    means: 'yagna refused the app key.',
    action:
      'Give the worker a valid key (`yagna app-key list`). What is rented then waits for it until its agreement ends, and settlements go on once it is there.',
    retryable: false,
  },
  YagnaIncompatible: {
    means: 'yagna is older than this version works with, or answered something that it cannot read.',
    action: 'Use yagna 0.17.0 or newer; if it is, report what it answered.',
    retryable: false,
  },
  BudgetNotReserved: {
    means:
      'yagna refused to reserve the money, for instance because the account or the deposit holds too little; or a broker has no such deposit for the job.',
    action:
      'Fund the account (`yagna payment fund`) or the deposit, lower the budget, or correct the id of the deposit.',
    retryable: false,
  },
  PayerUnavailable: {
    means: 'The broker that the spec names as payer did not answer.',
    action: 'Nothing: it is retried. If it lasts, check `budget.payer.broker`, and that the broker runs.',
    retryable: true,
  },
  BudgetExhausted: {
    means: 'Too little of the budget is left for what is owed or for more work, or somebody released it.',
    action:
      'Start the job again with a larger budget. Set budget.onLow to have it topped up, or to wait for you.',
    retryable: false,
  },
  InvalidTopUp: {
    means: 'A job was asked to raise its budget by something that is no amount.',
    action: 'Give { "amount": "0.5" }: GLM to add, a decimal string greater than 0.',
    retryable: false,
  },
  JobEnding: {
    means: 'The job is ending or over, so its budget is not raised any more.',
    action: 'Start another job for what is left to do.',
    retryable: false,
  },
  SettlementEnded: {
    means: "The job's settlement was terminated: nobody accepts and pays bills of the job any more.",
    action:
      'Run `golem-temporal reconcile`: it pays what is owed and closes what is left. Start the job again.',
    retryable: false,
  },
  NoProviders: {
    means: 'No provider offers what the spec asks for at its prices.',
    action: 'Loosen demand, pricing or providers in the spec, or try another subnet or network.',
    retryable: false,
  },
  AgreementRejected: {
    means: 'The provider refused the agreement, or did not answer in time.',
    action: 'Nothing: the next proposal is taken.',
    retryable: false,
  },
  AgreementEnded: {
    means: 'The agreement was terminated or has expired.',
    action: 'Nothing: unfinished tasks go to another provider.',
    retryable: false,
  },
  VmNotCreated: {
    means: 'The provider could not create, deploy or start the VM, or its setup failed.',
    action: 'Nothing: another provider is tried. If it repeats, check image and setup commands.',
    retryable: false,
  },
  VmLost: {
    means: 'The VM is gone or does not answer any more.',
    action: 'Nothing: its tasks go to another provider.',
    retryable: false,
  },
  ScriptUncertain: {
    means: 'It is not known whether a script was started: its request was sent, the answer lost.',
    action: "Set the task's onUncertain: freshVm (default), rerun or fail.",
    retryable: false,
  },
  CommandFailed: {
    means: 'A command of the task ended with an error.',
    action: "Read the task's results: message, stdout, stderr.",
    retryable: false,
  },
  TaskTimedOut: {
    means: 'The task took longer than its timeoutSec.',
    action: 'Raise timeoutSec, or ask for faster providers.',
    retryable: false,
  },
  PaymentRefused: {
    means: 'A debit note or invoice asks for more than the agreement allows, or cannot be right.',
    action:
      'Nothing: it is not paid, and an agreement that still runs is ended. See the PaymentFailed event for the reason.',
    retryable: false,
  },
  RentalNotReady: {
    means: "The rental's VM is not up yet, or its job has no rental yet.",
    action: 'Try again when its state is `ready` or `busy`; `golem-temporal rent` waits for that.',
    retryable: true,
  },
  UnknownScript: {
    means: 'The rental was asked for the result of a script that it does not know, or not any more.',
    action:
      'Use a scriptId that `executeScript` of the same rental returned; it keeps the newest 20 results.',
    retryable: false,
  },
  ControlRefused: {
    means: 'Somebody asked a closed rental or job for what only its owner, or a key with a grant, may have.',
    action:
      "Sign it with the owner's key, or one that has a grant for it: `--key FILE`, or `signer` of GolemClient. To attach takes the owner's own.",
    retryable: false,
  },
  FilesNotServed: {
    means: 'A script transfers files of its worker (`files:/…`), and the worker serves none.',
    action: 'Start all workers with `--files DIR`, or give http(s) URLs.',
    retryable: false,
  },
  UnknownActivity: {
    means:
      'yagna knows no Golem activity of that id, or it is of another yagna than the connection leads to.',
    action: 'Check the id and the connection: `golem-temporal worker` must talk to the yagna that rented it.',
    retryable: false,
  },
  ActivityForeign: {
    means: 'The Golem activity was rented by another identity than that of the app key.',
    action: 'Give the worker, as another connection, an app key of the identity that rented it.',
    retryable: false,
  },
  ActivityEnded: {
    means:
      'The Golem activity, or the agreement under it, has ended or is being ended: there is nothing to attach to.',
    action:
      'Rent another one. What is owed for it is paid by its settlement, or by `golem-temporal reconcile`.',
    retryable: false,
  },
  ActivityInUse: {
    means: 'Another rental that runs holds the Golem activity or its agreement.',
    action: 'Use that rental, which the message names; or detach it first.',
    retryable: false,
  },
  NotDetachable: {
    means: 'The rental has no VM that is up: it is still being brought up, or it is ending.',
    action: 'Detach when its progress says `ready` or `busy`.',
    retryable: false,
  },
  RentalDetached: {
    means: 'The rental was detached: its VM lives on, but nobody talks to it.',
    action:
      'Attach to its Golem activity: `golem-temporal attach ACTIVITY_ID`; `golem-temporal events JOB` tells its id.',
    retryable: false,
  },
  Timeout: {
    means: 'A step of the job had no worker, or did not end in its time.',
    action: 'Check that a worker runs; then start the job again.',
    retryable: true,
  },
  Error: {
    means: 'Something went wrong that has no name here.',
    action: "Read the message; report it if it is not your own code's.",
    retryable: true,
  },
} as const satisfies Record<string, FailureKind>;

export type FailureType = keyof typeof FAILURES;

/** What to do about `InvalidJobSpec` where it is an argument that has mistakes, and no spec. */
export const CORRECT_ARGUMENT = 'Correct what is named, and try again.';
