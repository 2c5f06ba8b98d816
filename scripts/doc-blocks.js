/**
 * The blocks of code on the pages, and what runs each of them: `node scripts/doc-blocks.js` prints the list; a test fails where
 * one is neither run nor says why not.
 *
 * Before a block stands `<!-- run -->`, `<!-- run: TEST -->`, `<!-- run with ID -->` (of a workflow that runs), `<!-- code: FILE -->` (see
 * readme.js) or `<!-- not run: REASON -->`; JSON needs none, for all of it is checked. A block without a language is a picture.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./checkout');
const { pages } = require('./readme');

/** Tests, by the page whose blocks marked `run` they run as they stand there. Of all other pages: `docs-run`. */
const BY_PAGE = {
  'docs/quickstart.md': 'quickstart',
  'docs/devnet.md': 'devnet-docs',
  'examples/batch-map/README.md': 'examples',
  'examples/interactive/README.md': 'examples',
  'examples/schedule/README.md': 'examples',
  'examples/pipeline-typescript/README.md': 'pipelines',
  'examples/pipeline-python/README.md': 'pipelines',
  'examples/pipeline-go/README.md': 'pipelines',
};

/** Tests, by the file or folder that pages take code from. */
const BY_FILE = {
  'examples/squares-workflow.ts': 'examples',
  'examples/start-job.ts': 'examples',
  'examples/own-worker.ts': 'examples',
  'examples/own-workflows.ts': 'examples',
  'examples/interactive': 'examples',
  'examples/from-golem-js': 'examples',
  'examples/lost-answer.ts': 'devnet-docs',
  'examples/pipeline-typescript': 'pipelines',
  'examples/pipeline-python': 'pipelines',
  'examples/pipeline-go': 'pipelines',
  'examples/talk-workflow.ts': 'plugin',
  'examples/configured-worker.ts': 'plugin',
  'examples/encryption-codec.ts': 'plugin',
  'examples/tracing.ts': 'plugin',
};

/** All pages for people, by their path in the checkout. */
function allPages() {
  const markdown = (folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { withFileTypes: true })
      .flatMap((entry) =>
        entry.isFile() && entry.name.endsWith('.md') ? path.join(folder, entry.name) : [],
      );
  const examples = fs.readdirSync(path.join(ROOT, 'examples'), { withFileTypes: true });
  return [
    ...[...pages(), 'CONTRIBUTING.md', ...markdown('examples')],
    ...examples.flatMap((entry) => (entry.isDirectory() ? markdown(path.join('examples', entry.name)) : [])),
  ];
}

/** The blocks of a page, in their order. */
function blocksOf(page) {
  const lines = fs.readFileSync(path.join(ROOT, page), 'utf8').split('\n');
  const blocks = [];
  let heading = '';
  let before = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    if (/^#+ /.test(line)) heading = line.replace(/^#+ /, '');
    if (!line.startsWith('```')) {
      if (line.trim()) before = line;
      continue;
    }
    const end = lines.indexOf('```', at + 1);
    const [, mark = ''] = /^<!-- (.*) -->$/.exec(before) ?? [];
    const text = lines.slice(at + 1, end).join('\n') + '\n';
    blocks.push({ page, line: at + 1, language: line.slice(3), heading, text, mark });
    at = end;
    before = '';
  }
  return blocks.filter(({ language }) => language !== '');
}

/** What becomes of a block: `by` the test that runs it, or `not` the reason; neither where nobody has said. */
function fateOf({ page, language, mark }) {
  const [kind, rest = ''] = mark.split(/: (.*)/s);
  if (kind === 'run' || kind === 'run with ID') return { by: rest || BY_PAGE[page] || 'docs-run' };
  if (kind === 'not run') return { not: rest };
  if (kind === 'code') {
    const [file] = rest.split('#');
    return { by: BY_FILE[file] ?? BY_FILE[path.dirname(file)] };
  }
  return language === 'json' ? { by: 'readme' } : {};
}

/** Those of a page that a test has to run as they stand there. */
const toRun = (page, test) =>
  blocksOf(page).filter((block) => /^run\b/.test(block.mark) && fateOf(block).by === test);

module.exports = { allPages, blocksOf, fateOf, toRun };

if (require.main === module) {
  const rows = allPages()
    .flatMap(blocksOf)
    .map((block) => ({ ...block, ...fateOf(block) }));
  for (const { page, line, language, by, not } of rows) {
    const fate = by ? `run by test/${by}.test.ts` : not ? `not run: ${not}` : 'NOBODY SAYS WHAT RUNS IT';
    console.log(`${`${page}:${line}`.padEnd(46)} ${language.padEnd(7)} ${fate}`);
  }
  const count = (is) => rows.filter(is).length;
  console.log(`${rows.length} blocks: ${count(({ by }) => by)} run, ${count(({ not }) => not)} not run`);
}
