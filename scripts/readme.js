/**
 * What README.md takes from the code: the fields of a job spec, the names of failures, and the examples.
 * `node scripts/readme.js` writes them into it, after a build; a test says when that was forgotten.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./checkout');

const README = path.join(ROOT, 'README.md');

/**
 * README.md with what it takes from the code made anew.
 * @param {string} readme
 * @param {object} schema JSON Schema of a job spec
 * @param {Record<string, { means: string, action: string }>} failures
 */
function renewed(readme, schema, failures) {
  const fields = rowsOf(schema, '').map(([name, text]) => [`\`${name}\``, text]);
  const names = Object.entries(failures).map(([name, { means, action }]) => [`\`${name}\``, means, action]);
  return readme.replace(
    /(<!-- (table|code): (\S+) -->\n)[^]*?(<!-- end -->)/g,
    (_, begin, kind, name, end) => `${begin}\n${kind === 'code' ? code(name) : tables()[name]}\n${end}`,
  );

  function tables() {
    return {
      spec: table(['field', 'meaning'], fields),
      failures: table(['name', 'what it means', 'what to do'], names),
    };
  }
}

function code(file) {
  return `\`\`\`ts\n${fs.readFileSync(path.join(ROOT, file), 'utf8')}\`\`\`\n`;
}

/** One row for each field that says something of itself, those of objects and lists below their own. */
function rowsOf(schema, prefix) {
  const variants = schema.anyOf ?? [schema];
  const object = variants.find((variant) => variant.type === 'object');
  const list = variants.find((variant) => variant.type === 'array');
  if (list) return rowsOf(list.items, `${prefix.replace(/\.$/, '')}[].`);
  return Object.entries(object?.properties ?? {}).flatMap(([name, field]) => [
    ...(field.description ? [[`${prefix}${name}`, field.description]] : []),
    // What is written as another field is described there.
    ...(field.description?.includes('written as `') ? [] : rowsOf(field, `${prefix}${name}.`)),
  ]);
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('');
}

module.exports = { renewed };

if (require.main === module) {
  const { z } = require('zod');
  const { jobSpecSchema } = require('../dist/model/spec-schema.js');
  const { FAILURES } = require('../dist/model/failures.js');
  const readme = fs.readFileSync(README, 'utf8');
  fs.writeFileSync(README, renewed(readme, z.toJSONSchema(jobSpecSchema, { io: 'input' }), FAILURES));
}
