// Runs the Dockerfile's own steps as commands in a temporary folder, where no container engine is, starts
// what came out and waits until its HEALTHCHECK passes and it says that it is ready. What this cannot show: the base image and the user.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, isAbsolute, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { command, root, secondsSince } from './command.mjs';
import { parseCopy, parseDockerfile, parseExec } from './dockerfile.mjs';

const UP_MS_MAX = 60_000;
const DRAIN_MS_MAX = 20_000;

const startedAt = performance.now();
const temp = mkdtempSync(join(tmpdir(), 'sluis-image-'));
const patterns = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n').filter(Boolean);

/** Only names and `*.ending`, which is what our .dockerignore holds; matched at the top of the context. */
const isIgnored = (path) => {
  const [top = ''] = relative(root, path).split('/');
  return patterns.some((pattern) =>
    pattern.startsWith('*') ? top.endsWith(pattern.slice(1)) : top === pattern,
  );
};

/** The machine's own settings for npm and the network are kept, those of an exchange are the image's business. */
const outside = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('SLUIS_')),
);

class Stage {
  workdir = '/';
  env = {};
  entrypoint = [];
  cmd = [];
  health = [];

  constructor(folder) {
    this.folder = folder;
  }

  /** Where a path of the image lies on this disk. */
  at(path) {
    return join(this.folder, isAbsolute(path) ? path : join(this.workdir, path));
  }

  /** A variable or an argument that is a path of the image. */
  mapped(text) {
    return text.startsWith('/') ? this.at(text) : text;
  }
}

function copy(stage, stages, rest) {
  const { from, sources, target } = parseCopy(rest);
  const intoFolder = target.endsWith('/') || target === '.' || sources.length > 1;
  for (const source of sources) {
    const origin = from === undefined ? join(root, source) : stages.get(from).at(source);
    if (!existsSync(origin)) throw new Error(`COPY ${rest}: ${source} is not there`);
    const goal =
      intoFolder && !statSync(origin).isDirectory()
        ? join(stage.at(target), basename(source))
        : stage.at(target);
    cpSync(origin, goal, {
      recursive: true,
      preserveTimestamps: true,
      filter: (path) => from !== undefined || !isIgnored(path),
    });
  }
}

async function run(stage, rest) {
  mkdirSync(stage.at('.'), { recursive: true });
  const env = { ...outside, ...stage.env };
  const { code, output } = await command('sh', ['-c', rest], { cwd: stage.at('.'), env, quiet: true });
  if (code !== 0) throw new Error(`RUN ${rest} ended with ${code.toString()}:\n${output}`);
}

async function carryOut(stage, stages, { word, rest }) {
  if (word === 'WORKDIR') stage.workdir = rest;
  else if (word === 'COPY') copy(stage, stages, rest);
  else if (word === 'RUN') await run(stage, rest);
  else if (word === 'ENTRYPOINT') stage.entrypoint = parseExec(rest);
  else if (word === 'CMD') stage.cmd = parseExec(rest);
  else if (word === 'HEALTHCHECK') stage.health = parseExec(rest);
  else if (word === 'ENV') {
    const [name, ...value] = rest.split('=');
    stage.env[name] = stage.mapped(value.join('='));
  }
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts the image's command and asks its own health check, then /readyz, until they say yes. */
async function startAndAsk(stage) {
  const ports = { SLUIS_HTTP_PORT: String(await freePort()), SLUIS_OPS_PORT: String(await freePort()) };
  // Loopback only, whatever the image says: here is no container's network around it.
  const hosts = { SLUIS_HTTP_HOST: '127.0.0.1', SLUIS_OPS_HOST: '127.0.0.1' };
  const env = { ...outside, ...stage.env, ...hosts, ...ports };
  const [file, ...args] = [...stage.entrypoint, ...stage.cmd].map((word) => stage.mapped(word));
  const server = spawn(file === 'node' ? process.execPath : file, args, {
    cwd: stage.at('.'),
    env,
    stdio: 'inherit',
  });
  const ended = new Promise((resolve) => server.once('exit', (code, signal) => resolve(signal ?? code)));
  let state = 'running';
  void ended.then((how) => (state = `ended with ${String(how)}`));
  const until = async (what, isSo) => {
    const deadline = performance.now() + UP_MS_MAX;
    while (!(await isSo())) {
      if (state !== 'running') throw new Error(`the image's command ${state}`);
      if (performance.now() > deadline) throw new Error(`the image did not become ${what}`);
      await sleep(250);
    }
  };
  try {
    const [probe, ...probeArgs] = stage.health;
    const asking = { cwd: stage.at('.'), env, quiet: true };
    await until('healthy', async () => {
      const { code } = await command(probe === 'node' ? process.execPath : probe, probeArgs, asking);
      return code === 0;
    });
    const readyz = `http://127.0.0.1:${ports.SLUIS_OPS_PORT}/readyz`;
    await until('ready', async () => (await fetch(readyz).catch(() => undefined))?.status === 200);
    console.log('healthy and ready');
  } finally {
    server.kill('SIGTERM');
    const drained = await Promise.race([ended, sleep(DRAIN_MS_MAX, 'late', { ref: false })]);
    if (drained === 'late') server.kill('SIGKILL');
    if (drained !== 0)
      console.error(`the image's command answered SIGTERM with ${String(drained)}, expected 0`);
    if (drained !== 0) process.exitCode = 1;
  }
}

try {
  const stages = new Map();
  let last;
  for (const { name, steps } of parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'))) {
    last = new Stage(join(temp, `stage-${stages.size.toString()}`));
    stages.set(name, last);
    for (const step of steps) {
      console.log(`${secondsSince(startedAt).padStart(8)}  ${step.word} ${step.rest}`.slice(0, 110));
      await carryOut(last, stages, step);
    }
  }
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  await startAndAsk(last);
  console.log(`The image's steps work (${secondsSince(startedAt)})`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(temp, { recursive: true, force: true });
}
