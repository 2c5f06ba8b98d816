import type * as jsonSchemas from '../model/json-schema';

/** Where the published schemas are. */
export const FOLDER: string;
/** @returns their texts by file name */
export function schemaFiles(
  from: Pick<typeof jsonSchemas, 'SCHEMA_NAMES' | 'jsonSchema'>,
): Record<string, string>;
