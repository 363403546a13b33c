import { readFileSync } from 'node:fs';
import { type Child, startChild } from './child.ts';

/** A system call of a trace; `begin` and `end` count the trace's lines, so that one can be said to be before another. */
export interface Call {
  readonly name: string;
  readonly text: string;
  readonly begin: number;
  readonly end: number;
}

/** Looks on while a process and its threads call the system. Needs Debian's strace, and the right to. */
export class Strace {
  readonly #child: Child;
  readonly #file: string;

  private constructor(child: Child, file: string) {
    this.#child = child;
    this.#file = file;
  }

  /** Resolves when it looks on. `calls` as strace names them, separated by commas. */
  static async attach(pid: number, calls: string, file: string): Promise<Strace> {
    const args = ['-f', '-y', '-s', '48', '-e', `trace=${calls}`, '-o', file, '-p', pid.toString()];
    const child = await startChild('strace', args, {});
    await child.waitFor(/attached/);
    return new Strace(child, file);
  }

  /** Lets the process go, and tells what it did: each call that has ended, in the order of their ends. */
  async stop(): Promise<Call[]> {
    await this.#child.stop();
    return callsOf(readFileSync(this.#file, 'latin1'));
  }
}

/** A call that another thread interrupts comes in two lines: `… <unfinished ...>` and `<... NAME resumed>…`. */
function callsOf(trace: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, Omit<Call, 'end'>>();
  for (const [line, all] of trace.split('\n').entries()) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(all) ?? [];
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(text);
    const begun = /^(\w+)\(/.exec(text);
    if (resumed !== null) {
      const call = unfinished.get(thread);
      unfinished.delete(thread);
      if (call !== undefined) calls.push({ ...call, text: call.text + (resumed[2] ?? ''), end: line });
    } else if (begun !== null) {
      const call = { name: begun[1] ?? '', text, begin: line };
      if (text.endsWith('<unfinished ...>')) unfinished.set(thread, call);
      else calls.push({ ...call, end: line });
    }
  }
  return calls;
}
