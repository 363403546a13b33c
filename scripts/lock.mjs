// node scripts/lock.mjs: fills in what npm leaves out of package-lock.json. Run it after every change of
// dependencies.
//
// A native library names one optional package per platform. Behind a mirror that keeps only some of them, npm
// cannot read the others, writes nothing about them into the lock file, and `npm ci` then refuses the file
// as incomplete, everywhere. Name, version and platform are known without asking anybody; the hash is not,
// so npm adds it on the first install that has the package.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './command.mjs';

const SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const PROCESSORS = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];

/** What a package called `@oxlint/binding-linux-arm64-musl` says of the platform that it is for. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  if (cpu.length === 0)
    throw new Error(`${name} is left out of the lock file, and its name tells no platform`);
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : [];
  return { cpu, ...(os.length > 0 && { os }), ...(libc.length > 0 && { libc }) };
}

const file = join(root, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const { packages } = lock;

/** Whether `name` is found from the package at `path`, as Node would look for it. */
function isThere(path, name) {
  const folders = path
    .split('/node_modules/')
    .map((_, at, all) => all.slice(0, at + 1).join('/node_modules/'));
  return [...folders, ''].some(
    (folder) => packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`],
  );
}

let added = 0;
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(path, name)) continue;
    if (!/^\d+\.\d+\.\d+$/.test(version))
      throw new Error(`${name} is left out, and ${version} is no exact version`);
    packages[`node_modules/${name}`] = {
      version,
      ...platformOf(name),
      ...(entry.dev && { dev: true }),
      optional: true,
    };
    added += 1;
  }
}

if (JSON.stringify(lock).includes('"resolved"'))
  throw new Error('the lock file holds download addresses: see .npmrc');
if (added > 0) {
  const byName = Object.entries(packages).sort(([one], [other]) => (one < other ? -1 : 1));
  lock.packages = Object.fromEntries(byName);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(`${added.toString()} packages of other platforms were added to package-lock.json`);
