import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compareOutsidePatch } from '../../test/support/compare.ts';
import { type FaultProxy, openFaultProxy } from '../../test/support/fault-proxy.ts';
import { freePorts } from '../../test/support/ports.ts';
import { type Program, startProgram } from '../../test/support/processes.ts';
import { type WrittenInstance, writeStudy } from '../../test/support/study/write-study.ts';
import { AddressBook } from '../addressbook/address-book.ts';
import { SluisError } from '../ops/error.ts';
import { State } from '../state/state.ts';
import { demoRoute, demoTokenFile, seedDemoNetwork } from './demo-network.ts';
import { parseOptions, wholeNumber } from './options.ts';
import { Progress } from './progress.ts';
import { processTerminal, type Terminal } from './terminal.ts';

export const usage = `sluis demo-cut [--instances N]

Sends a generated study of 1 GB across the demo network on this machine while the line is cut three
times and the exchange is killed once, and compares what arrived with what was sent.
  --instances N    of 0.5 MB each (2000)`;

const cutsAt = [0.2, 0.45, 0.85];
const killAt = 0.65;
const lineBytesPerSecond = 100e6;
const instanceBytes = 512 * 1024;
/** How often it is looked whether to cut, to kill or to end. */
const lookMs = 50;
const linesShown = 5;
/** As shells have it: 128 and the number of SIGINT. */
const interruptedExitCode = 130;

/** A command of the demo did not do what it was asked. */
class CommandFailed extends SluisError {
  override readonly name = 'CommandFailed';
  readonly code = 'SLUIS_CLI_DEMO_FAILED';
  readonly remedy = 'give-up';
}

export async function run(args: string[], terminal: Terminal = processTerminal): Promise<number> {
  const { values } = parseOptions({ instances: { type: 'string' } }, args);
  const instances =
    values.instances === undefined ? 2_000 : wholeNumber(values.instances, '--instances', 10, 20_000);
  const stop = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (): void => stop.abort();
  for (const signal of signals) process.once(signal, onSignal);
  const folder = await mkdtemp(join(tmpdir(), 'sluis-demo-'));
  const demo = new CutDemo(folder, instances, terminal, stop.signal);
  let isKept = false;
  try {
    const { equal, twice } = await demo.run();
    isKept = equal !== instances;
    terminal.print(
      isKept
        ? `only ${equal.toString()} of ${instances.toString()} instances are equal; the files are left in ${folder}`
        : `all ${instances.toString()} instances equal, ${percent(twice)} sent twice`,
    );
    return isKept ? 1 : 0;
  } catch (thrown) {
    if (stop.signal.aborted) return interruptedExitCode;
    throw thrown;
  } finally {
    await demo.stop();
    if (!isKept) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** One run, in a folder of its own. */
class CutDemo {
  readonly #folder: string;
  readonly #instances: number;
  readonly #terminal: Terminal;
  readonly #signal: AbortSignal;
  #exchange: Program | undefined;
  #command: Program | undefined;
  #line: FaultProxy | undefined;

  constructor(folder: string, instances: number, terminal: Terminal, signal: AbortSignal) {
    this.#folder = folder;
    this.#instances = instances;
    this.#terminal = terminal;
    this.#signal = signal;
  }

  /** Resolves with how many instances arrived equal, and the share of the study that went over the line twice. */
  async run(): Promise<{ equal: number; twice: number }> {
    const files = await this.#makeStudy();
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    await this.#seed();
    const [port = 0, opsPort = 0] = await freePorts(2);
    await this.#serve(port, opsPort);
    const target = { host: '127.0.0.1', port };
    const line = await openFaultProxy({ target, bytesPerSecondUp: lineBytesPerSecond });
    this.#line = line;
    const cuts = [...cutsAt];
    let isKilled = false;
    const send = ['send', '--from', demoRoute.from, '--to', demoRoute.to, join(this.#folder, 'study')];
    const moved = (): number => line.bytesUp;
    await this.#follow('sending', 'ziekenhuis-vecht', send, bytes, moved, async (sent) => {
      if (cuts[0] !== undefined && sent > cuts[0]) {
        cuts.shift();
        line.cutAll('reset');
        this.#terminal.print(`the line was cut at ${percent(sent)}`);
      }
      if (!isKilled && sent > killAt) {
        isKilled = true;
        this.#exchange?.kill('SIGKILL');
        await this.#exchange?.exited;
        this.#terminal.print(`the exchange was killed at ${percent(sent)} and is started again`);
        await this.#serve(port, opsPort);
      }
    });
    const twice = Math.max(0, line.bytesUp - bytes) / bytes;
    const receive = ['receive', '--mailbox', demoRoute.to, '--out', this.#received, '--once'];
    await this.#follow('receiving', 'umc-de-linde', receive, bytes, () => line.bytesDown);
    return { equal: await this.#compare(files, bytes), twice };
  }

  async stop(): Promise<void> {
    await this.#command?.stop();
    await this.#exchange?.stop();
    await this.#line?.close();
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  get #received(): string {
    return join(this.#folder, 'received');
  }

  async #makeStudy(): Promise<WrittenInstance[]> {
    this.#terminal.print(`making a study of ${this.#instances.toString()} instances …`);
    const progress = new Progress(this.#terminal, 'making', this.#instances * instanceBytes);
    const options = { modality: 'CT', instances: this.#instances, seed: 11 } as const;
    try {
      return await writeStudy(join(this.#folder, 'study'), options, ({ bytes }) => {
        progress.add(bytes);
        this.#signal.throwIfAborted();
      });
    } finally {
      progress.end();
    }
  }

  async #seed(): Promise<void> {
    const state = await State.open(join(this.#data, 'state'));
    try {
      await seedDemoNetwork(this.#data, state, new AddressBook(state));
    } finally {
      await state.close();
    }
  }

  async #serve(port: number, opsPort: number): Promise<void> {
    const ports = ['--port', port.toString(), '--ops-port', opsPort.toString()];
    this.#exchange = await startProgram(['serve', '--data', this.#data, ...ports], {
      env: { SLUIS_LOG_LEVEL: 'warn' },
    });
    await this.#exchange.waitFor(/ serves /);
  }

  /** Runs a command at the other end of the line to its end; `meanwhile` hears how much of `total` has `moved`. */
  async #follow(
    label: string,
    organization: string,
    args: readonly string[],
    total: number,
    moved: () => number,
    meanwhile: (part: number) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const progress = new Progress(this.#terminal, label, total);
    const before = moved();
    let seen = before;
    try {
      const command = await startProgram([
        ...args,
        ...['--server', `http://127.0.0.1:${String(this.#line?.port)}`],
        ...['--token-file', demoTokenFile(this.#data, organization)],
      ]);
      this.#command = command;
      while (command.running) {
        this.#signal.throwIfAborted();
        const now = moved();
        progress.add(now - seen);
        seen = now;
        await meanwhile((now - before) / total);
        await sleep(lookMs);
      }
      const { code } = await command.exited;
      this.#signal.throwIfAborted();
      if (code === 0) return;
      const said = command.stderr.slice(-linesShown).join('\n');
      throw new CommandFailed(`sluis ${args[0] ?? ''} did not do it:\n${said}`);
    } finally {
      progress.end();
    }
  }

  /** How many are equal, by code that shares nothing with the exchange's own splice. */
  async #compare(files: readonly WrittenInstance[], bytes: number): Promise<number> {
    const paths = new Map<string, string>();
    for (const entry of await readdir(this.#received, { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith('.dcm')) {
        paths.set(entry.name.slice(0, -'.dcm'.length), join(entry.parentPath, entry.name));
      }
    }
    const progress = new Progress(this.#terminal, 'comparing', bytes);
    let equal = 0;
    try {
      for (const file of files) {
        this.#signal.throwIfAborted();
        const path = paths.get(file.sopInstanceUid);
        if (
          path !== undefined &&
          compareOutsidePatch(await readFile(file.path), await readFile(path)).equal
        ) {
          equal += 1;
        }
        progress.add(file.bytes);
      }
    } finally {
      progress.end();
    }
    return equal;
  }
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
