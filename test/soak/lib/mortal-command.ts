import { setTimeout as sleep } from 'node:timers/promises';
import { type Program, startProgram } from '../../support/processes.ts';

/** Of what a command said is kept for a failure. */
const linesShown = 6;

/** A command that is started again, as often as it was killed, until it has done what it was asked. */
export class MortalCommand {
  readonly #args: readonly string[];
  readonly #forever: boolean;
  #program: Program | undefined;
  #killed = false;
  #stopped = false;
  kills = 0;
  readonly faults: string[] = [];

  /** @param forever starts it again also when it ended well */
  constructor(args: readonly string[], forever = false) {
    this.#args = args;
    this.#forever = forever;
  }

  get running(): boolean {
    return this.#program?.running ?? false;
  }

  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#killed = false;
      const program = await startProgram(this.#args);
      this.#program = program;
      const { code, signal } = await program.exited;
      if (this.#killed || this.#stopped) continue;
      if (code === 0 && !this.#forever) return;
      if (code !== 0) {
        const last = [...program.stdout, ...program.stderr].slice(-linesShown).join('\n');
        this.faults.push(`sluis ${this.#args[0] ?? ''} ended with ${String(code ?? signal)}:\n${last}`);
        if (!this.#forever) return;
      }
      await sleep(300);
    }
  }

  kill(): void {
    if (!this.running) return;
    this.kills += 1;
    this.#killed = true;
    this.#program?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#program?.kill('SIGKILL');
    await this.#program?.exited;
  }
}
