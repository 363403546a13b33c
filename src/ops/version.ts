import { createRequire } from 'node:module';

/** The version in package.json, found from src and from dist/src alike. */
export function programVersion(): string {
  const require = createRequire(import.meta.url);
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = require(path) as { name?: string; version?: string };
      if (name === 'sluis' && version !== undefined) {
        return version;
      }
    } catch {
      // Not there: the other place is.
    }
  }
  return 'unknown';
}
