import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file that worker threads load. Tests run the sources as they are, which a thread of Node 20
 * cannot load: there the threads get what the last build made of them.
 */
export function workerEntry(): string {
  const here = fileURLToPath(import.meta.url);
  const folder = here.endsWith('.ts') ? '../../../dist/src/work' : '..';
  return join(here, folder, 'worker.js');
}
