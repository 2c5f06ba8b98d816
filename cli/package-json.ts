/** What the package says of itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface PackageJson {
  version: string;
  /** Package to range of versions. */
  peerDependencies: Record<string, string>;
}

export function packageJson(): PackageJson {
  // The command runs from dist/cli.
  return JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as PackageJson;
}
