/**
 * The published JSON Schemas, `docs/schemas/*.json`. `node scripts/schemas.js` writes them there, after a build; a test
 * says when that was forgotten.
 */
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./checkout');

const FOLDER = path.join(ROOT, 'docs', 'schemas');

/** @returns {Record<string, string>} texts by file name */
function schemaFiles({ SCHEMA_NAMES, jsonSchema }) {
  const text = (name) => `${JSON.stringify(jsonSchema(name), null, 2)}\n`;
  return Object.fromEntries(SCHEMA_NAMES.map((name) => [`${name}.json`, text(name)]));
}

module.exports = { FOLDER, schemaFiles };

if (require.main === module) {
  fs.mkdirSync(FOLDER, { recursive: true });
  const files = schemaFiles(require('../dist/model/json-schema.js'));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(FOLDER, name), text);
}
