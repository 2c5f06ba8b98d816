/**
 * The workflow bundle, one file with all workflows in it, so that a worker starts without webpack; and beside it
 * the version of the worker that it was made by and is for.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT, newest } = require('./checkout');

const BUNDLE = path.join(ROOT, 'dist', 'workflow-bundle.js');
const SOURCES = ['workflows', 'model', 'package-lock.json'];
const LIMIT_BYTES = 640 * 1024;

async function bundleWorkflows() {
  const workflowsPath = path.join(ROOT, 'workflows', 'index.ts');
  const interceptors = path.join(ROOT, 'workflows', 'interceptors.ts');
  const shortStacks = path.join(ROOT, 'workflows', 'short-stacks.ts');
  const { bundleWorkflowCode, DefaultLogger } = require('@temporalio/worker');
  const { version } = require('@temporalio/worker/package.json');
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    workflowInterceptorModules: [interceptors],
    // Once for all workflows of a worker: none of these modules keeps anything of a workflow.
    preloadModules: [shortStacks, workflowsPath, interceptors],
    logger: new DefaultLogger('WARN'),
    // A worker needs a source map. This one tells files and lines, without the sources and without where they lay.
    webpackConfigHook: (config) => ({
      ...config,
      devtool: 'inline-nosources-cheap-module-source-map',
      output: { ...config.output, devtoolModuleFilenameTemplate: '[resource-path]', pathinfo: false },
      // Numbers: names are long, stand at every import, and tell where the sources lay.
      optimization: {
        ...config.optimization,
        moduleIds: 'deterministic',
        minimize: true,
        // Without comments and blanks. Names stay: errors are known by them.
        minimizeOptions: { javascript: { compress: false, mangle: false, format: { comments: false } } },
      },
    }),
  });
  const bytes = Buffer.byteLength(code);
  console.error(`workflow bundle: ${(bytes / 1024).toFixed(0)} kB`);
  if (bytes > LIMIT_BYTES)
    throw new Error(`the workflow bundle is over its limit of ${LIMIT_BYTES / 1024} kB`);
  fs.mkdirSync(path.dirname(BUNDLE), { recursive: true });
  writeWhole(BUNDLE.replace(/\.js$/, '.json'), JSON.stringify({ workerVersion: version }));
  writeWhole(BUNDLE, code);
}

/** A reader finds the old file or the new one, never a part. */
function writeWhole(file, content) {
  const part = `${file}.${process.pid}`;
  fs.writeFileSync(part, content);
  fs.renameSync(part, file);
}

async function bundleIfStale() {
  const bundled = newest(BUNDLE);
  if (SOURCES.some((source) => newest(path.join(ROOT, source)) > bundled)) await bundleWorkflows();
}

module.exports = { bundleWorkflows, bundleIfStale };
