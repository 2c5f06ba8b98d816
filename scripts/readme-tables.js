/**
 * The tables of README.md that are taken from the code: the fields of a job spec and the names of failures.
 * `node scripts/readme-tables.js` writes them into it, after a build.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./checkout');

const README = path.join(ROOT, 'README.md');

/**
 * README.md with its tables made anew.
 * @param {string} readme
 * @param {object} schema JSON Schema of a job spec
 * @param {Record<string, { means: string, action: string }>} failures
 */
function withTables(readme, schema, failures) {
  const fields = rowsOf(schema, '').map(([name, text]) => [`\`${name}\``, text]);
  const names = Object.entries(failures).map(([name, { means, action }]) => [`\`${name}\``, means, action]);
  return replaceTable(replaceTable(readme, 'spec', [['field', 'meaning'], ...fields]), 'failures', [
    ['name', 'what it means', 'what to do'],
    ...names,
  ]);
}

/** One row for each field that says something of itself, those of objects and lists below their own. */
function rowsOf(schema, prefix) {
  const variants = schema.anyOf ?? [schema];
  const object = variants.find((variant) => variant.type === 'object');
  const list = variants.find((variant) => variant.type === 'array');
  if (list) return rowsOf(list.items, `${prefix.replace(/\.$/, '')}[].`);
  return Object.entries(object?.properties ?? {}).flatMap(([name, field]) => [
    ...(field.description ? [[`${prefix}${name}`, field.description]] : []),
    ...rowsOf(field, `${prefix}${name}.`),
  ]);
}

function replaceTable(readme, name, [head, ...rows]) {
  const cells = (row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const lines = [cells(head), cells(head.map(() => '---')), ...rows.map(cells)];
  const block = new RegExp(`(<!-- table: ${name} -->\n)[^]*?(\n<!-- end -->)`);
  if (!block.test(readme)) throw new Error(`README.md has no table ${name}`);
  return readme.replace(block, (_, begin, end) => `${begin}\n${lines.join('\n')}\n${end}`);
}

module.exports = { withTables };

if (require.main === module) {
  const { z } = require('zod');
  const { jobSpecSchema } = require('../dist/model/spec-schema.js');
  const { FAILURES } = require('../dist/model/failures.js');
  const readme = fs.readFileSync(README, 'utf8');
  fs.writeFileSync(README, withTables(readme, z.toJSONSchema(jobSpecSchema, { io: 'input' }), FAILURES));
}
