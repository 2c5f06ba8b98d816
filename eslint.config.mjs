// Rules of this repository: which folder may import which, what deterministic code may not touch, and no promise
// left unawaited.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const FOLDERS = [
  'workflows',
  'workflow-helpers',
  'activities',
  'worker',
  'client',
  'ui',
  'cli',
  'model',
  'devnet',
  'demo',
  'bench',
  'test',
];

/** A folder may import itself and those named; of `typesOnly` only types. */
function imports(folder, allowed, { typesOnly = [], packages, noPackages, extra = [] } = {}) {
  const forbidden = FOLDERS.filter((name) => ![folder, ...allowed, ...typesOnly].includes(name));
  const patterns = [
    {
      regex: `^(\\.\\./)+(${forbidden.join('|')})(/|$)`,
      message: `${folder}/ imports only ${['itself', ...allowed, ...typesOnly.map((name) => `types of ${name}`)].join(', ')}.`,
    },
    ...(typesOnly.length > 0
      ? [
          {
            regex: `^(\\.\\./)+(${typesOnly.join('|')})(/|$)`,
            allowTypeImports: true,
            message: `${folder}/ imports only types of ${typesOnly.join(', ')}: use import type.`,
          },
        ]
      : []),
    ...(packages
      ? [
          {
            regex: `^(?!\\.|(${packages.join('|')})(/|$))`,
            allowTypeImports: true,
            message: `${folder}/ uses no package but ${packages.join(', ')}.`,
          },
        ]
      : []),
    ...(noPackages ? [{ regex: `^${noPackages}`, message: `${folder}/ does not use ${noPackages}.` }] : []),
    ...extra,
  ];
  return {
    files: [`${folder}/**/*.ts`],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
  };
}

const NOT_IN_WORKFLOWS = [
  ...[
    'process',
    'Buffer',
    'crypto',
    'fetch',
    'structuredClone',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
  ],
  ...[
    'require',
    '__dirname',
    '__filename',
    'performance',
    'AbortController',
    'WeakRef',
    'FinalizationRegistry',
  ],
].map((name) => ({ name, message: 'Deterministic code does without it: it runs in the workflow sandbox.' }));

const nodeGlobals = Object.fromEntries(
  [
    'require',
    'module',
    'process',
    'console',
    '__dirname',
    'setTimeout',
    'clearTimeout',
    'Buffer',
    'AbortController',
  ].map((name) => [name, 'readonly']),
);

const browserGlobals = Object.fromEntries(
  [
    ...['document', 'window', 'location', 'crypto', 'fetch', 'AbortSignal', 'EventSource', 'URLSearchParams'],
    ...['setTimeout', 'clearTimeout', 'setInterval', 'requestAnimationFrame', 'ResizeObserver'],
  ].map((name) => [name, 'readonly']),
);

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'node_modules/',
      'demo-output/',
      'examples/*/lib/',
      'test/recordings/',
      'test/histories/',
      '.*/',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: { globals: nodeGlobals },
  },
  { files: ['**/*.js'], languageOptions: { sourceType: 'commonjs' } },
  {
    files: ['devnet/admin/page/*.js'],
    languageOptions: { sourceType: 'script', globals: browserGlobals },
  },
  {
    files: ['ui/page/*.js'],
    languageOptions: { sourceType: 'module', globals: browserGlobals },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/return-await': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'off',
    },
  },
  imports('model', [], { packages: ['decimal\\.js', 'jsonc-parser', 'zod'] }),
  imports('workflows', ['model'], {
    typesOnly: ['activities'],
    packages: ['decimal\\.js', '@temporalio/workflow', '@temporalio/common'],
    extra: [
      {
        regex: 'model/spec$',
        allowTypeImports: true,
        message: 'The spec is checked in an activity; zod stays out of the workflow bundle.',
      },
    ],
  }),
  imports('workflow-helpers', ['model'], { packages: ['@temporalio/workflow'] }),
  imports('activities', ['model']),
  imports('worker', ['workflows', 'activities', 'model']),
  imports('client', ['model']),
  imports('devnet', ['model'], { noPackages: '@temporalio/' }),
  imports('ui', ['client', 'model']),
  imports('cli', ['ui', 'client', 'worker', 'devnet', 'model']),
  imports('demo', ['cli', 'client', 'model']),
  {
    files: ['workflows/**/*.ts', 'model/**/*.ts'],
    rules: { 'no-restricted-globals': ['error', ...NOT_IN_WORKFLOWS] },
  },
  {
    // Workflows get deterministic Date and Math.random from Temporal; the model gets the time as an argument.
    files: ['model/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Take the time as an argument.' },
        { object: 'Math', property: 'random', message: 'Take it as an argument.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'Take the time as an argument.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
