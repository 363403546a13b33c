// npm run docs: writes what documents take from the code: config.example.json and README's configuration table.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.mjs';
import { ready } from './ready.mjs';

await ready();
const { configExample, configTable } = await import('../dist/src/ops/config-table.js');

writeFileSync(join(root, 'config.example.json'), configExample());

const readmeFile = join(root, 'README.md');
const readme = readFileSync(readmeFile, 'utf8');
const between = /(<!-- config table -->\n)[\s\S]*?(<!-- \/config table -->)/;
if (!between.test(readme)) {
  console.error('README.md has no <!-- config table --> … <!-- /config table -->');
  process.exitCode = 1;
} else {
  writeFileSync(
    readmeFile,
    readme.replace(between, (_, before, after) => `${before}${configTable()}\n${after}`),
  );
}
