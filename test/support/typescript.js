/** Lets a plain node process require the project's TypeScript: `node -r test/support/typescript.js file.ts`. */
const { transformFileSync } = require('@swc/core');

require.extensions['.ts'] = (module_, file) => {
  const { code } = transformFileSync(file, {
    swcrc: false,
    sourceMaps: 'inline',
    module: { type: 'commonjs' },
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  });
  module_._compile(code, file);
};
