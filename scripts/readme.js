/**
 * What the pages take from the code: the fields of a job spec, the names of failures, what a fault of the devnet can be
 * armed on, the kinds of its effects, and the examples. `node scripts/readme.js` writes them there, after a build; a test
 * says when that was forgotten.
 *
 * `<!-- code: FILE -->` stands before a file, or a part of one as `<!-- code: FILE#NAME -->`: what is between lines that say
 * `region NAME` and `endregion`. `<!-- table: NAME -->` stands before a table.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./checkout');

/** Languages of code blocks by the end of a file's name, where they are not the same. */
const LANGUAGES = { mjs: 'js', py: 'python' };

/** Pages that take code, by their path in the checkout. */
function pages() {
  const docs = fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...docs.map((name) => `docs/${name}`)];
}

/**
 * A page with the code it shows, and its tables, made anew.
 * @param {string} page
 * @param {Record<string, string>} tables by name
 */
function renewed(page, tables) {
  return page.replace(/(<!-- (table|code): (\S+) -->\n)[^]*?(<!-- end -->)/g, (_, begin, kind, name, end) => {
    const made = kind === 'code' ? code(name) : tables[name];
    if (made === undefined) throw new Error(`there is no table ${name}`);
    return `${begin}\n${made}\n${end}`;
  });
}

/**
 * The tables that pages take from the code, by name.
 * @param {object} from
 * @param {object} from.schema JSON Schema of a job spec
 * @param {Record<string, { means: string, action: string }>} from.failures
 * @param {{ on: string, actions: readonly string[] }[]} from.operations of the devnet
 * @param {{ kind: string, fields: string[], means: string }[]} from.effects of the devnet
 * @param {{ name: string, usage: string, means: string, options: [string, string][], example: readonly string[] }[]} from.commands
 * @param {readonly (readonly [number, string])[]} from.exitCodes of the command
 */
function tablesOf({ schema, failures, operations, effects, commands, exitCodes }) {
  const fields = rowsOf(schema, '').map(([name, text]) => [`\`${name}\``, text]);
  const names = Object.entries(failures).map(([name, { means, action }]) => [`\`${name}\``, means, action]);
  const kinds = effects.map(({ kind, means, fields }) => [`\`${kind}\``, means, fieldsCell(fields)]);
  return {
    spec: table(['field', 'meaning'], fields),
    failures: table(['name', 'what it means', 'what to do'], names),
    operations: table(['operation', 'actions'], operationRows(operations)),
    effects: table(['kind', 'what happened', 'fields'], kinds),
    commands: commands.map(commandSection).join('\n'),
    'exit-codes': table(
      ['code', 'when'],
      exitCodes.map(([exitCode, means]) => [String(exitCode), means]),
    ),
  };
}

function commandSection({ name, usage, means, options, example }) {
  const rows = options.map(([flags, text]) => [`\`${flags}\``, text]);
  return [
    `### ${name}\n`,
    `\`${`golem-temporal ${name} ${usage}`.trim()}\`: ${means}.\n`,
    `<!-- run -->\n\n\`\`\`sh\n${example.join('\n')}\n\`\`\`\n`,
    ...(rows.length > 0 ? [table(['option', 'meaning'], rows)] : []),
  ].join('\n');
}

function operationRows(operations) {
  const quoted = (names) => names.map((name) => `\`${name}\``).join(', ');
  const isStep = ({ on }) => on.startsWith('provider.');
  const [any, path, ...named] = operations;
  const calls = named.filter((operation) => !isStep(operation)).map(({ on }) => on);
  const wide = `${quoted([any.on])} (any call), ${quoted([path.on])} (any request; a path)`;
  return [
    [`${wide}, ${quoted(calls)}`, quoted(any.actions)],
    ...operations.filter(isStep).map(({ on, actions }) => [quoted([on]), quoted(actions)]),
  ];
}

/** `by: requestor, timeout` is a field and what may stand in it. */
function fieldsCell(fields) {
  return fields
    .map((field) => field.split(': '))
    .map(([name, words]) => (words ? `\`${name}\` (${words})` : `\`${name}\``))
    .join(', ');
}

/** A code block of a file, or of a region in it: `FILE#NAME`. */
function code(name) {
  const [file, region] = name.split('#');
  const extension = path.extname(file).slice(1);
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  const shown = region === undefined ? text : regionOf(text, region, file);
  return `\`\`\`${LANGUAGES[extension] ?? extension}\n${shown}\`\`\`\n`;
}

/** What stands between `region NAME` and the next `endregion`, moved to the left. */
function regionOf(text, region, file) {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) => /^\s*(\/\/|#) region /.test(line) && line.endsWith(` ${region}`));
  const end = lines.findIndex((line, at) => at > begin && /^\s*(\/\/|#) endregion$/.test(line));
  if (begin < 0 || end < 0) throw new Error(`${file} has no region ${region}`);
  const shown = lines.slice(begin + 1, end);
  while (shown[0]?.trim() === '') shown.shift();
  while (shown.at(-1)?.trim() === '') shown.pop();
  const indent = Math.min(...shown.filter((line) => line.trim()).map((line) => line.search(/\S/)));
  return shown.map((line) => `${line.slice(indent)}\n`).join('');
}

/** One row for each field that says something of itself, those of objects and lists below their own. */
function rowsOf(schema, prefix) {
  const variants = schema.anyOf ?? [schema];
  const object = variants.find((variant) => variant.type === 'object');
  const list = variants.find((variant) => variant.type === 'array');
  const rows = Object.entries(object?.properties ?? {}).flatMap(([name, field]) => [
    ...(field.description ? [[`${prefix}${name}`, field.description]] : []),
    // What is written as another field is described there.
    ...(field.description?.includes('written as `') ? [] : rowsOf(field, `${prefix}${name}.`)),
  ]);
  return list ? [...rows, ...rowsOf(list.items, `${prefix.replace(/\.$/, '')}[].`)] : rows;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('');
}

module.exports = { pages, renewed, tablesOf };

if (require.main === module) {
  const { jsonSchema } = require('../dist/model/json-schema.js');
  const { FAILURES } = require('../dist/model/failures.js');
  const { effectKinds, operations } = require('../dist/devnet/index.js');
  const { describeCommands } = require('../dist/cli/command-reference.js');
  const { EXIT_CODES } = require('../dist/cli/failure.js');
  const tables = tablesOf({
    ...{ schema: jsonSchema('job'), failures: FAILURES, operations: operations(), effects: effectKinds() },
    ...{ commands: describeCommands(), exitCodes: EXIT_CODES },
  });
  for (const page of pages()) {
    const file = path.join(ROOT, page);
    const before = fs.readFileSync(file, 'utf8');
    const after = renewed(before, tables);
    if (after !== before) fs.writeFileSync(file, after);
  }
}
