// Prints the licence of every library that a production install holds; ends with 1 when one is not on the list.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.mjs';

const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  // Fonts: Bitstream Vera and Arev, which may be embedded.
  'OFL-1.1',
  'Python-2.0',
  'Unlicense',
  'Zlib',
]);

const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** SPDX: one of an OR is enough, an AND needs both. Anything cleverer is for a person to judge. */
function isAllowed(expression) {
  const plain = expression.replace(/[()]/g, '');
  if (/ OR /.test(plain) && / AND /.test(plain)) return false;
  if (/ OR /.test(plain)) return plain.split(' OR ').some((one) => ALLOWED.has(one.trim()));
  return plain.split(' AND ').every((one) => ALLOWED.has(one.trim()));
}

/** The licence a package states; packages of before SPDX say {type}, and some have only the text beside them. */
function licenceOf({ license, licenses }, folder) {
  const [first] = [license ?? licenses ?? []].flat();
  if (first === undefined) return licenceOfText(folder);
  return typeof first === 'string' ? first : (first.type ?? 'none stated');
}

function licenceOfText(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8');
  return text.startsWith('MIT License\n') ? 'MIT' : 'none stated';
}

const rows = [];
for (const [path, entry] of Object.entries(json(join(root, 'package-lock.json')).packages)) {
  // Another platform's build of an optional library is not installed here; its sibling has the same licence.
  if (path === '' || entry.dev || !existsSync(join(root, path, 'package.json'))) continue;
  const found = json(join(root, path, 'package.json'));
  rows.push({ name: `${found.name}@${found.version}`, licence: licenceOf(found, join(root, path)) });
}
const refused = rows.filter(({ licence }) => !isAllowed(licence));

if (rows.length === 0) {
  console.error('There are no libraries in node_modules: run npm ci.');
  process.exitCode = 1;
}
if (!process.argv.includes('--quiet')) {
  for (const { name, licence } of rows.sort((a, b) => a.name.localeCompare(b.name))) {
    console.log(`${licence.padEnd(16)} ${name}`);
  }
}
console.log(
  `${rows.length.toString()} libraries, ${refused.length.toString()} with a licence that is not on the list`,
);
for (const { name, licence } of refused) {
  console.error(`${name}: ${licence} is not on the list in scripts/licences.mjs`);
  process.exitCode = 1;
}
