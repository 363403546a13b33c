import { freePorts } from '../../support/ports.ts';
import { type Program, startProgram } from '../../support/processes.ts';
import { type TestMailbox, TestNetwork } from '../../support/test-network.ts';

/** How long the exchange may take to serve after it was started, on a busy machine. */
const startMsMax = 60_000;
/** Of the log is kept for a failure. */
const linesShown = 15;

/** The built exchange on one data folder, killed and started again as often as the soak wants. */
export class MortalExchange {
  readonly port: number;
  readonly #network: TestNetwork;
  readonly #opsPort: number;
  #program: Program | undefined;
  #killed = false;
  kills = 0;
  /** What should not be: ends that nobody asked for, lines of level error. */
  readonly faults: string[] = [];

  private constructor(network: TestNetwork, [port = 0, opsPort = 0]: readonly number[]) {
    this.#network = network;
    this.port = port;
    this.#opsPort = opsPort;
  }

  /** Writes the configuration, starts, and makes a key for each organization. */
  static async make(
    folder: string,
    mailboxes: readonly TestMailbox[],
    settings: Readonly<Record<string, unknown>>,
  ): Promise<MortalExchange> {
    const network = new TestNetwork(folder, mailboxes, settings);
    const exchange = new MortalExchange(network, await freePorts(2));
    await exchange.start();
    await exchange.serving();
    await network.makeKeys();
    return exchange;
  }

  get server(): string {
    return `http://127.0.0.1:${this.port.toString()}`;
  }

  get dataFolder(): string {
    return this.#network.dataFolder;
  }

  get running(): boolean {
    return this.#program?.running ?? false;
  }

  tokenFile(organization: string): string {
    return this.#network.tokenFile(organization);
  }

  token(organization: string): string {
    return this.#network.token(organization);
  }

  /** Does not wait until it serves: a kill may come before that. */
  async start(): Promise<void> {
    const ports = ['--port', this.port.toString(), '--ops-port', this.#opsPort.toString()];
    this.#killed = false;
    const program = await startProgram(['serve', ...ports, ...this.#network.args]);
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
