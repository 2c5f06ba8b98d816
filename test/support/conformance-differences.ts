/**
 * What of the recordings is not replayed, and in what the devnet's answers differ from the recorded ones, and why. By
 * the exchange's file and its place in it, from 0.
 */

export const NOT_REPLAYED: ReadonlyMap<string, string> = new Map([
  ['c1_full_flow 58', 'the recorder kept nothing of this event stream'],
  ['d2_golemjs_manyOf 3', 'the note came in the last half second of the poll'],
  ['d2_golemjs_manyOf 98', 'the agreement was read in the milliseconds of its termination'],
  ['d3_golemjs_debit 73', 'the note came in the last half second of the poll'],
]);

const HISTORY = 'that yagna had something from before the recording';
const SAFER_TIMEOUT = 'safer: a negative timeout is 400 with a reason, where yagna drops the connection';

export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['a1_auth_version_identity_net 15', 'fewer counters, and of the whole network'],
  ['a1_auth_version_identity_net 29', 'the recorded node had no relay; the devnet is healthy'],
  ['a2_allocations 73', HISTORY],
  ['a3_documents_empty 16', SAFER_TIMEOUT],
  ['a3_documents_empty 24', SAFER_TIMEOUT],
  ['b1_market_demands 0', HISTORY],
  ['b1_market_demands 3', HISTORY],
  ['b1_market_demands 5', HISTORY],
  ['b1_market_demands 39', HISTORY],
  ['c1_full_flow 56', 'safer: a transfer of what is not there fails, where yagna stores the error page'],
  [
    'e2_activity_edges 41',
    "the monitor tells a requestor of its own activities, where yagna's tells of a provider's",
  ],
  [
    'f1_exeunit_killed 12',
    'usage is known from the first command on, where yagna learns it about a second later',
  ],
  ['g1a_exec_negative_timeout_crash 18', SAFER_TIMEOUT],
  ['g1a_exec_negative_timeout_crash 19', 'the VM was not lost by the negative timeout before'],
  ['g1a_exec_negative_timeout_crash 20', 'the VM was not lost by the negative timeout before'],
]);
