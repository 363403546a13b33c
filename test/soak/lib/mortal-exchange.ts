import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../support/ports.ts';
import { type Program, startProgram } from '../../support/processes.ts';

/** One organization with one mailbox of the same name. */
export interface SoakMailbox {
  readonly id: string;
  readonly receiving: { readonly by: 'pull' } | { readonly by: 'stow'; readonly url: string };
}

/** How long the exchange may take to serve after it was started, on a busy machine. */
const startMsMax = 60_000;
/** Of the log is kept for a failure. */
const linesShown = 15;

/** The built exchange on one data folder, killed and started again as often as the soak wants. */
export class MortalExchange {
  readonly port: number;
  readonly #folder: string;
  readonly #opsPort: number;
  #program: Program | undefined;
  #killed = false;
  kills = 0;
  /** What should not be: ends that nobody asked for, lines of level error. */
  readonly faults: string[] = [];

  private constructor(folder: string, [port = 0, opsPort = 0]: readonly number[]) {
    this.#folder = folder;
    this.port = port;
    this.#opsPort = opsPort;
  }

  /** Writes the configuration, starts, and makes a key for each organization. */
  static async make(
    folder: string,
    mailboxes: readonly SoakMailbox[],
    settings: Readonly<Record<string, unknown>>,
  ): Promise<MortalExchange> {
    const organizations = mailboxes.map((mailbox) => ({
      id: mailbox.id,
      name: `Ziekenhuis ${mailbox.id}`,
      place: 'Teststad',
      mailboxes: [{ ...mailbox, name: `Radiologie ${mailbox.id}`, dialect: 'nl-2010' }],
    }));
    const config = { version: 1, ...settings, addressBook: { organizations } };
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    const exchange = new MortalExchange(folder, await freePorts(2));
    await exchange.start();
    await exchange.serving();
    for (const { id } of mailboxes) {
      const options = ['--organization', id, '--name', 'soak', '--data', join(folder, 'data')];
      const key = await startProgram(['keys', 'create', ...options, '--config', join(folder, 'config.json')]);
      await key.exited;
      writeFileSync(exchange.tokenFile(id), key.stdout.join('\n'), { mode: 0o600 });
    }
    return exchange;
  }

  get server(): string {
    return `http://127.0.0.1:${this.port.toString()}`;
  }

  get dataFolder(): string {
    return join(this.#folder, 'data');
  }

  get running(): boolean {
    return this.#program?.running ?? false;
  }

  tokenFile(organization: string): string {
    return join(this.#folder, `${organization}.token`);
  }

  token(organization: string): string {
    return readFileSync(this.tokenFile(organization), 'utf8').trim();
  }

  /** Does not wait until it serves: a kill may come before that. */
  async start(): Promise<void> {
    const ports = ['--port', this.port.toString(), '--ops-port', this.#opsPort.toString()];
    const files = ['--data', this.dataFolder, '--config', join(this.#folder, 'config.json')];
    this.#killed = false;
    const program = await startProgram(['serve', ...ports, ...files]);
    this.#program = program;
    void program.exited.then(({ code, signal }) => {
      const lines = program.stderr.filter((line) => /"level":(?:50|60)\b/.test(line));
      this.faults.push(...lines.map((line) => `the exchange logged ${line}`));
      if (!this.#killed) {
        const last = program.stderr.slice(-linesShown).join('\n');
        this.faults.push(`the exchange ended by itself (${String(code ?? signal)}):\n${last}`);
      }
    });
  }

  async serving(): Promise<void> {
    await this.#program?.waitFor(/^Sluis .* serves /, startMsMax);
  }

  /** Resolves at the next line that says so, or after `withinMs`. */
  async logged(pattern: RegExp, withinMs: number): Promise<void> {
    await this.#program?.waitFor(pattern, withinMs).catch(() => undefined);
  }

  /** kill -9: nothing is flushed, nothing is said. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.kills += 1;
    this.#killed = true;
    this.#program?.kill('SIGKILL');
    await this.#program?.exited;
  }

  /** SIGTERM, as an operator does; what does not end well is a fault. */
  async stop(): Promise<void> {
    this.#killed = true;
    const exit = await this.#program?.stop(20_000);
    if (exit !== undefined && exit.code !== 0) {
      this.faults.push(`stopped, the exchange ended with ${String(exit.code ?? exit.signal)}`);
    }
  }

  /** The answer's JSON; undefined when the exchange is not there. */
  async get(organization: string, path: string): Promise<unknown> {
    try {
      const response = await fetch(`${this.server}${path}`, {
        headers: { authorization: `Bearer ${this.token(organization)}` },
        signal: AbortSignal.timeout(10_000),
      });
      const body: unknown = await response.json();
      if (response.ok) return body;
      if (response.status < 500) this.faults.push(`GET ${path} was answered ${response.status.toString()}`);
      return undefined;
    } catch {
      return undefined;
    }
  }
}
