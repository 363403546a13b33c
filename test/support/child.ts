import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Kept of each stream; a program that prints more loses its oldest lines here. */
const LINES_MAX = 10_000;
const WAIT_MS = 90_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /**
   * The first line of either stream that matches, earlier ones included. Rejects, with the last
   * lines, when the process ends first or `withinMs` (90 s) are over.
   */
  waitFor(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>;
  /** Sends the signal; nothing when the process has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Asks with SIGTERM, insists with SIGKILL after `withinMs` (10 s); resolves when the process is gone. */
  stop(withinMs?: number): Promise<Exit>;
  readonly exited: Promise<Exit>;
  readonly running: boolean;
}

interface Waiter {
  readonly pattern: RegExp;
  readonly matched: (match: RegExpExecArray) => void;
}

/** Starts a program and keeps its lines. It is killed when this process ends before it does. */
export async function startChild(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<Child> {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} has no process id`);
  const orphaned = (): void => {
    child.kill('SIGKILL');
  };
  process.on('exit', orphaned);

  const waiters = new Set<Waiter>();
  const stdout = linesOf(child.stdout, waiters);
  const stderr = linesOf(child.stderr, waiters);
  // 'close', not 'exit': every line has been read by then.
  const exited = once(child, 'close').then(() => {
    process.off('exit', orphaned);
    return { code: child.exitCode, signal: child.signalCode };
  });
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const lastLines = (): string => [...stdout.slice(-10), ...stderr.slice(-20)].join('\n');

  return {
    pid,
    stdout,
    stderr,
    exited,
    get running() {
      return running();
    },
    waitFor: (pattern, withinMs = WAIT_MS) =>
      new Promise((resolve, reject) => {
        for (const line of [...stdout, ...stderr]) {
          const match = pattern.exec(line);
          if (match !== null) {
            resolve(match);
            return;
          }
        }
        const fail = (why: string): void => {
          settled();
          reject(new Error(`${why} before it printed ${pattern.toString()}\n${lastLines()}`));
        };
        const timer = setTimeout(() => fail(`${withinMs.toString()} ms went by`), withinMs);
        const waiter: Waiter = {
          pattern,
          matched: (match) => {
            settled();
            resolve(match);
          },
        };
        const settled = (): void => {
          clearTimeout(timer);
          waiters.delete(waiter);
        };
        waiters.add(waiter);
        void exited.then(() => fail('the process ended'));
      }),
    kill(signal) {
      child.kill(signal);
    },
    async stop(withinMs = 10_000) {
      if (running()) child.kill('SIGTERM');
      const insist = setTimeout(() => child.kill('SIGKILL'), withinMs);
      const exit = await exited;
      clearTimeout(insist);
      return exit;
    },
  };
}

function linesOf(stream: ChildProcess['stdout'], waiters: ReadonlySet<Waiter>): string[] {
  const lines: string[] = [];
  if (stream === null) return lines;
  createInterface({ input: stream }).on('line', (line) => {
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    for (const { pattern, matched } of waiters) {
      const match = pattern.exec(line);
      if (match !== null) matched(match);
    }
  });
  return lines;
}
