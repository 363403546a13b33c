import type { Exit } from '../support/child.ts';
import { freePorts } from '../support/ports.ts';
import { type Program, startProgram } from '../support/processes.ts';
import { type TestMailbox, TestNetwork } from '../support/test-network.ts';

/**
 * The built program, run as a hospital would: a configuration file, keys made by `sluis keys create`,
 * `sluis serve`. It can be killed and started again on the same ports and data.
 */
export class ExchangeProcess {
  readonly port: number;
  readonly opsPort: number;
  readonly #network: TestNetwork;
  readonly #env: Readonly<Record<string, string>>;
  #program: Program | undefined;
  #peakMemoryBytes = 0;

  private constructor(
    network: TestNetwork,
    ports: readonly [number, number],
    env: Readonly<Record<string, string>>,
  ) {
    this.#network = network;
    [this.port, this.opsPort] = ports;
    this.#env = env;
  }

  /** Writes the configuration below `folder`, starts the exchange, and makes a key for each organization. */
  static async start(
    folder: string,
    mailboxes: readonly TestMailbox[],
    settings: Readonly<Record<string, unknown>> = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<ExchangeProcess> {
    const [port = 0, opsPort = 0] = await freePorts(2);
    const network = new TestNetwork(folder, mailboxes, settings);
    const exchange = new ExchangeProcess(network, [port, opsPort], env);
    await exchange.startAgain();
    await network.makeKeys();
    return exchange;
  }

  get server(): string {
    return `http://127.0.0.1:${this.port.toString()}`;
  }

  /** Of the run that goes on. Throws when none does. */
  get pid(): number {
    if (this.#program === undefined) throw new Error('the exchange does not run');
    return this.#program.pid;
  }

  get dataFolder(): string {
    return this.#network.dataFolder;
  }

  /** The highest RssAnon + RssShmem of all its runs. */
  get peakMemoryBytes(): number {
    return Math.max(this.#peakMemoryBytes, this.#program?.peakMemoryBytes ?? 0);
  }

  get log(): readonly string[] {
    return this.#program?.stderr ?? [];
  }

  tokenFile(organization: string): string {
    return this.#network.tokenFile(organization);
  }

  async startAgain(): Promise<void> {
    const ports = ['--port', this.port.toString(), '--ops-port', this.opsPort.toString()];
    this.#program = await startProgram(['serve', ...ports, ...this.#network.args], { env: this.#env });
    await this.#program.waitFor(/^Sluis .* serves /);
  }

  /** kill -9: nothing is flushed, nothing is said. */
  async kill(): Promise<void> {
    this.#peakMemoryBytes = this.peakMemoryBytes;
    this.#program?.kill('SIGKILL');
    await this.#program?.exited;
  }

  /** SIGTERM, as an operator does. Undefined when it does not run. */
  async stop(): Promise<Exit | undefined> {
    this.#peakMemoryBytes = this.peakMemoryBytes;
    return this.#program?.stop();
  }

  /** An API call by an organization. */
  get(organization: string, path: string): Promise<{ status: number; body: unknown }> {
    return this.#ask(organization, path, {});
  }

  /** The same, with a JSON body. */
  post(organization: string, path: string, body: unknown): Promise<{ status: number; body: unknown }> {
    return this.#ask(organization, path, { method: 'POST', body: JSON.stringify(body) });
  }

  put(organization: string, path: string, body: unknown): Promise<{ status: number; body: unknown }> {
    return this.#ask(organization, path, { method: 'PUT', body: JSON.stringify(body) });
  }

  async #ask(
    organization: string,
    path: string,
    init: { readonly method?: string; readonly body?: string },
  ): Promise<{ status: number; body: unknown }> {
    const token = this.#network.token(organization);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(`${this.server}${path}`, { ...init, headers });
    return { status: response.status, body: await response.json() };
  }
}
