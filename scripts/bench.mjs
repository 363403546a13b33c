// npm run bench -- NAME [--json FILE]: builds, then runs one of bench/. Without NAME it says which there are.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { command, root } from './command.mjs';
import { ready } from './ready.mjs';

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));

if (name === undefined || !names.includes(name)) {
  console.error(
    `npm run bench -- NAME [--json FILE], where NAME is one of: ${names.join(', ') || '(none yet)'}`,
  );
  process.exitCode = 2;
} else {
  await ready();
  const { code } = await command(process.execPath, [join(root, 'dist', 'bench', `${name}.js`), ...args]);
  process.exitCode = code;
}
