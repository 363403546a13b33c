// npm run soak -- NAME [--seed S] [--json FILE] and options of its own: builds, then runs one of test/soak. Long runs, outside CI.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { command, root } from './command.mjs';
import { ready } from './ready.mjs';

const [name, ...args] = process.argv.slice(2);
const names = readdirSync(join(root, 'test', 'soak'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length));

if (name === undefined || !names.includes(name)) {
  console.error(
    `npm run soak -- NAME [--seed S] [--json FILE] and options of its own, where NAME is one of: ${names.join(', ') || '(none yet)'}`,
  );
  process.exitCode = 2;
} else {
  await ready();
  const file = join(root, 'dist', 'test', 'soak', `${name}.js`);
  const { code } = await command(process.execPath, [file, ...args]);
  process.exitCode = code;
}
