// npm run conformance -- --url URL: builds, then asks any tus server all that tus 1.0.0 wants of one (test/conformance).
import { join } from 'node:path';
import { command, root } from './command.mjs';
import { ready } from './ready.mjs';

await ready();
const file = join(root, 'dist', 'test', 'conformance', 'run.js');
// Here, where the files that its arguments name are.
const here = { cwd: process.cwd() };
const { code } = await command(process.execPath, [file, ...process.argv.slice(2)], here);
process.exitCode = code;
