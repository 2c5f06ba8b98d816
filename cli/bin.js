#!/usr/bin/env node
/** The command of the package; in a checkout that was not built yet it says so. */
const fs = require('node:fs');
const path = require('node:path');

const main = path.join(__dirname, '..', 'dist', 'cli', 'main.js');
if (fs.existsSync(main)) require(main);
else {
  console.error('golem-temporal: this checkout is not built yet: run `npm ci` and `npm run build` first');
  process.exit(1);
}
