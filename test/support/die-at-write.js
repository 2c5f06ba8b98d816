/**
 * Loaded into a devnet's process (`--require`): kills it between two statements, once so many as DIE_AT_WRITE says have
 * been written. No outside kill hits such a moment often enough.
 */
const Libsql = require('libsql');

const dieAt = Number(process.env.DIE_AT_WRITE);
const probe = new Libsql(':memory:');
const statement = Object.getPrototypeOf(probe.prepare('SELECT 1'));
probe.close();

const { run } = statement;
let writes = 0;
statement.run = function (...parameters) {
  const result = run.apply(this, parameters);
  writes += 1;
  if (writes === dieAt) process.kill(process.pid, 'SIGKILL');
  return result;
};
