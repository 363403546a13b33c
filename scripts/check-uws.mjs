// Compares the listener's binaries with the hashes that were reviewed: npm's own check covers the archive,
// this one also covers what is on disk, and makes a new version a change that somebody has to look at.
//   node scripts/check-uws.mjs [--write]
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, tool } from './command.mjs';

const folder = tool('uWebSockets.js', 'dist');
const listFile = join(root, 'scripts', 'uws-binaries.json');

const found = Object.fromEntries(
  readdirSync(folder, { recursive: true })
    .map((name) => String(name).replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.node'))
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
);

if (process.argv.includes('--write')) {
  writeFileSync(listFile, `${JSON.stringify(found, null, 2)}\n`);
}
const pinned = JSON.parse(readFileSync(listFile, 'utf8'));
const different = [...new Set([...Object.keys(pinned), ...Object.keys(found)])].filter(
  (name) => pinned[name] !== found[name],
);

for (const name of different) {
  const why =
    pinned[name] === undefined ? 'is not on the list' : found[name] === undefined ? 'is missing' : 'differs';
  console.error(`${name} ${why}`);
}
if (different.length > 0) {
  console.error(
    'The binaries of uWebSockets.js are not those of scripts/uws-binaries.json: see CONTRIBUTING.md.',
  );
  process.exitCode = 1;
} else {
  console.log(`${Object.keys(found).length.toString()} binaries are as pinned`);
}
