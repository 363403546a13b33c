// Installs and builds what is missing or old, with nothing but Node and npm. Says one line for what it does.
//   node scripts/ready.mjs [--install-only]
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { command, root, tool } from './command.mjs';

/** zlib.crc32 came with it; older ones fail in the middle of a ZIP. */
const OLDEST = [20, 15];

/** Ends the process with a sentence when this Node cannot run the program. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  const want = OLDEST.join('.');
  console.error(
    `Sluis needs Node.js ${want} or newer, this is ${process.version}. Install Node.js 22 and run it again.`,
  );
  process.exit(1);
}

const lockFile = join(root, 'package-lock.json');
const stampFile = tool('.sluis-installed');
const stamp = () => createHash('sha256').update(readFileSync(lockFile)).digest('hex');
const timeOf = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** Why node_modules cannot be used as it is; undefined when it can. */
function whyInstall() {
  if (!existsSync(tool())) return 'node_modules is missing';
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp()) return undefined;
  // Somebody ran npm by hand: npm writes this file last.
  const byHand = timeOf(tool('.package-lock.json'));
  if (byHand === 0) return 'node_modules is not complete';
  return byHand < timeOf(lockFile) ? 'package-lock.json is newer than node_modules' : undefined;
}

/** npm cannot do without a cache it can write: a temporary one where the home folder is read-only. */
function temporaryCache() {
  const usual = process.env.npm_config_cache ?? join(homedir(), '.npm');
  try {
    mkdirSync(usual, { recursive: true });
    accessSync(usual, constants.W_OK);
    return undefined;
  } catch {
    return mkdtempSync(join(tmpdir(), 'sluis-npm-'));
  }
}

async function install(why) {
  console.error(`Installing the libraries, because ${why} …`);
  const cache = temporaryCache();
  const env = {
    ...process.env,
    ...(cache && { npm_config_cache: cache }),
    npm_config_update_notifier: 'false',
  };
  // --include=dev: NODE_ENV=production in a shell would leave the compiler out.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  try {
    const byPath = npm === undefined || !/\.c?js$/.test(npm);
    const run = byPath
      ? command('npm', args, { env, quiet: true })
      : command(process.execPath, [npm, ...args], { env, quiet: true });
    const { code, output } = await run;
    if (code !== 0) {
      console.error(output);
      console.error('npm ci failed; the lines above say why.');
      process.exit(1);
    }
    writeFileSync(stampFile, stamp());
  } finally {
    if (cache !== undefined) rmSync(cache, { recursive: true, force: true });
  }
}

const dist = join(root, 'dist');
const built = ['src', 'bench', ...['support', 'soak', 'conformance'].map((name) => join('test', name))];

const filesIn = (folder) =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    : [];

/** Takes away what was built from a file that is gone, and the compiler's memory if something built is gone. */
function prune() {
  for (const file of filesIn(dist)) {
    const source = join(root, relative(dist, file)).replace(/\.js(\.map)?$/, '.ts');
    if (/\.js(\.map)?$/.test(file) && !existsSync(source)) rmSync(file);
  }
  const sources = built
    .flatMap((folder) => filesIn(join(root, folder)))
    // As tsconfig.build.json has it: tests are not built.
    .filter((file) => /(?<!\.d|\.test)\.ts$/.test(file));
  const isLost = (file) => !existsSync(join(dist, relative(root, file)).replace(/\.ts$/, '.js'));
  if (sources.some(isLost)) rmSync(join(dist, '.tsbuildinfo'), { force: true });
}

async function build() {
  prune();
  if (!existsSync(join(dist, '.tsbuildinfo'))) console.error('Building …');
  const { code, output } = await command(
    process.execPath,
    [tool('typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'],
    {
      quiet: true,
    },
  );
  if (code === 0) return;
  console.error(output);
  console.error('The build failed; the lines above say why.');
  process.exit(1);
}

/** Installs and builds what is missing; ends the process with 1 and a sentence when it cannot. */
export async function ready({ building = true } = {}) {
  checkNode();
  const why = whyInstall();
  if (why !== undefined) await install(why);
  if (building) await build();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ready({ building: !process.argv.includes('--install-only') });
}
