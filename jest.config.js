/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  setupFiles: ['<rootDir>/test/support/plain-output.ts'],
  // A limit for what hangs, also where a machine is slow or its cores are taken.
  testTimeout: 240_000,
  // Much of a test is waiting for processes; two cores bear one more than there are of them, and none of them starves.
  maxWorkers: 3,
  // What test files leave behind in one makes it slower and slower.
  workerIdleMemoryLimit: '600MB',
};
