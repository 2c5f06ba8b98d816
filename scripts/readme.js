/**
 * What README.md, docs/cli.md and docs/devnet.md take from the code: the fields of a job spec, the names of failures, what a fault
 * of the devnet can be armed on, the kinds of its effects, and the examples. `node scripts/readme.js` writes them there,
 * after a build; a test says when that was forgotten.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./checkout');

const README = path.join(ROOT, 'README.md');
const DEVNET = path.join(ROOT, 'docs', 'devnet.md');
const CLI = path.join(ROOT, 'docs', 'cli.md');

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

/**
 * docs/devnet.md with what it takes from the code made anew.
 * @param {string} page
 * @param {{ on: string, actions: readonly string[] }[]} operations
 * @param {{ kind: string, fields: string[], means: string }[]} effects
 */
function renewedDevnet(page, operations, effects) {
  const quoted = (names) => names.map((name) => `\`${name}\``).join(', ');
  const isStep = ({ on }) => on.startsWith('provider.');
  const [any, path, ...named] = operations;
  const calls = named.filter((operation) => !isStep(operation)).map(({ on }) => on);
  const wide = `${quoted([any.on])} (any call), ${quoted([path.on])} (any request; a path)`;
  const rows = [
    [`${wide}, ${quoted(calls)}`, quoted(any.actions)],
    ...operations.filter(isStep).map(({ on, actions }) => [quoted([on]), quoted(actions)]),
  ];
  const tables = {
    operations: table(['operation', 'actions'], rows),
    effects: table(
      ['kind', 'what happened', 'fields'],
      effects.map(({ kind, means, fields }) => [`\`${kind}\``, means, fieldsCell(fields)]),
    ),
  };
  return page.replace(
    /(<!-- (table|code): (\S+) -->\n)[^]*?(<!-- end -->)/g,
    (_, begin, kind, name, end) => `${begin}\n${kind === 'code' ? code(name) : tables[name]}\n${end}`,
  );
}

/** `by: requestor, timeout` is a field and what may stand in it. */
function fieldsCell(fields) {
  return fields
    .map((field) => field.split(': '))
    .map(([name, words]) => (words ? `\`${name}\` (${words})` : `\`${name}\``))
    .join(', ');
}

function code(file) {
  return `\`\`\`ts\n${fs.readFileSync(path.join(ROOT, file), 'utf8')}\`\`\`\n`;
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

/**
 * docs/cli.md with what it takes from the code made anew.
 * @param {string} page
 * @param {{ name: string, usage: string, means: string, options: [string, string][], example: readonly string[] }[]} commands
 * @param {readonly (readonly [number, string])[]} exitCodes
 */
function renewedCli(page, commands, exitCodes) {
  const section = ({ name, usage, means, options, example }) =>
    [
      `### ${name}\n`,
      `\`${`golem-temporal ${name} ${usage}`.trim()}\`: ${means}.\n`,
      `\`\`\`sh\n${example.join('\n')}\n\`\`\`\n`,
      ...(options.length > 0
        ? [
            table(
              ['option', 'meaning'],
              options.map(([flags, text]) => [`\`${flags}\``, text]),
            ),
          ]
        : []),
    ].join('\n');
  const parts = {
    commands: commands.map(section).join('\n'),
    'exit-codes': table(
      ['code', 'when'],
      exitCodes.map(([code, means]) => [String(code), means]),
    ),
  };
  return page.replace(
    /(<!-- table: (\S+) -->\n)[^]*?(<!-- end -->)/g,
    (_, begin, name, end) => `${begin}\n${parts[name]}\n${end}`,
  );
}

module.exports = { renewed, renewedCli, renewedDevnet };

if (require.main === module) {
  const { z } = require('zod');
  const { jobSpecSchema } = require('../dist/model/spec-schema.js');
  const { FAILURES } = require('../dist/model/failures.js');
  const readme = fs.readFileSync(README, 'utf8');
  fs.writeFileSync(README, renewed(readme, z.toJSONSchema(jobSpecSchema, { io: 'input' }), FAILURES));
  const { effectKinds, operations } = require('../dist/devnet/index.js');
  fs.writeFileSync(DEVNET, renewedDevnet(fs.readFileSync(DEVNET, 'utf8'), operations(), effectKinds()));
  const { describeCommands } = require('../dist/cli/command-reference.js');
  const { EXIT_CODES } = require('../dist/cli/failure.js');
  fs.writeFileSync(CLI, renewedCli(fs.readFileSync(CLI, 'utf8'), describeCommands(), EXIT_CODES));
}
