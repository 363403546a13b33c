import { rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareOutsidePatch } from '../../test/support/compare.ts';
import { type FaultProxy, openFaultProxy } from '../../test/support/fault-proxy.ts';
import { freePorts } from '../../test/support/ports.ts';
import { type Program, startProgram } from '../../test/support/processes.ts';
import { type WrittenInstance, writeStudy } from '../../test/support/study/write-study.ts';
import { demoRoute, demoTokenFile, seedDemoNetwork } from './demo-network.ts';
import { parseOptions, wholeNumber } from './options.ts';

export const usage = `sluis demo-cut [--instances N]

Sends a generated study of 1 GB across the demo network on this machine while the line is cut three
times and the exchange is killed once, and compares what arrived with what was sent.
  --instances N    of 0.5 MB each (2000)`;

const cutsAt = [0.2, 0.45, 0.85];
const killAt = 0.65;
const lineBytesPerSecond = 100e6;

export async function run(args: string[]): Promise<number> {
  const { values } = parseOptions({ instances: { type: 'string' } }, args);
  const instances =
    values.instances === undefined ? 2_000 : wholeNumber(values.instances, '--instances', 10, 20_000);
  const folder = await mkdtemp(join(tmpdir(), 'sluis-demo-'));
  const [port = 0, opsPort = 0] = await freePorts(2);
  const data = join(folder, 'data');
  const serve = async (): Promise<Program> => {
    const ports = ['--port', port.toString(), '--ops-port', opsPort.toString()];
    const program = await startProgram(['serve', '--data', data, ...ports], {
      env: { SLUIS_LOG_LEVEL: 'warn' },
    });
    await program.waitFor(/ serves /);
    return program;
  };
  let exchange: Program | undefined;
  let line: FaultProxy | undefined;
  try {
    say(`making a study of ${instances.toString()} instances …`);
    const files = await writeStudy(join(folder, 'study'), { modality: 'CT', instances, seed: 11 });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    await seedDemoNetwork(data);
    exchange = await serve();
    line = await openFaultProxy({
      target: { host: '127.0.0.1', port },
      bytesPerSecondUp: lineBytesPerSecond,
    });
    const client = ['--server', `http://127.0.0.1:${line.port.toString()}`];
    const sending = await startProgram([
      ...['send', ...client, '--token-file', demoTokenFile(data, 'ziekenhuis-vecht')],
      ...['--from', demoRoute.from, '--to', demoRoute.to, join(folder, 'study')],
    ]);
    const cuts = [...cutsAt];
    let isKilled = false;
    while (sending.running) {
      const sent = line.bytesUp / bytes;
      show(sent, `${line.cuts.toString()} cuts, ${isKilled ? '1 kill' : '0 kills'}`);
      if (cuts[0] !== undefined && sent > cuts[0]) {
        cuts.shift();
        line.cutAll('reset');
        say(`\rthe line was cut at ${percent(sent)}`);
      }
      if (!isKilled && sent > killAt) {
        isKilled = true;
        exchange.kill('SIGKILL');
        await exchange.exited;
        say(`\rthe exchange was killed at ${percent(sent)} and is started again`);
        exchange = await serve();
      }
      await sleep(50);
    }
    if ((await sending.exited).code !== 0) {
      say(`\n${sending.stderr.slice(-5).join('\n')}`);
      return 1;
    }
    say(`\r${sending.stdout.at(-1) ?? ''}`);
    const received = await startProgram([
      ...['receive', '--server', `http://127.0.0.1:${port.toString()}`, '--once'],
      ...['--token-file', demoTokenFile(data, 'umc-de-linde')],
      ...['--mailbox', demoRoute.to, '--out', join(folder, 'received')],
    ]);
    await received.exited;
    const equal = await equalInstances(files, join(folder, 'received'));
    const twice = Math.max(0, line.bytesUp - bytes) / bytes;
    if (equal !== instances) {
      say(
        `only ${equal.toString()} of ${instances.toString()} instances are equal; the files are left in ${folder}`,
      );
      return 1;
    }
    say(`all ${instances.toString()} instances equal, ${percent(twice)} sent twice`);
    rmSync(folder, { recursive: true });
    return 0;
  } finally {
    await exchange?.stop();
    await line?.close();
  }
}

/** Compared by code that shares nothing with the exchange's own splice. */
async function equalInstances(files: readonly WrittenInstance[], received: string): Promise<number> {
  const paths = new Map<string, string>();
  for (const entry of await readdir(received, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith('.dcm')) {
      paths.set(entry.name.slice(0, -'.dcm'.length), join(entry.parentPath, entry.name));
    }
  }
  let equal = 0;
  for (const file of files) {
    const path = paths.get(file.sopInstanceUid);
    if (path !== undefined && compareOutsidePatch(await readFile(file.path), await readFile(path)).equal) {
      equal++;
    }
  }
  return equal;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function show(part: number, what: string): void {
  if (process.stderr.isTTY) {
    const width = 40;
    const done = Math.round(Math.min(1, part) * width);
    process.stderr.write(`\r[${'#'.repeat(done)}${' '.repeat(width - done)}] ${percent(part)}  ${what}  `);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
