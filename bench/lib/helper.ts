import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A Node process of its own that answers questions: a server, or what loads one. */
export interface Helper {
  readonly pid: number;
  /** Resolves with what the process answers; rejects when it throws, or ends first. */
  ask<R>(what: string, how?: unknown): Promise<R>;
  /** Lets it end by itself, so that a profile is written. */
  stop(): Promise<void>;
}

interface Question {
  readonly id: number;
  readonly what: string;
  readonly how: unknown;
}

type Reply = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

/** How long a helper may take to end before it is killed. */
const STOP_MS = 10_000;

/** Starts a built file as a process. `SLUIS_BENCH_PROFILE=DIR` keeps a CPU profile of each. */
export function startHelper(file: URL, env: Readonly<Record<string, string>> = {}): Helper {
  const profiles = process.env.SLUIS_BENCH_PROFILE;
  const child = fork(fileURLToPath(file), {
    env: { ...process.env, ...env },
    execArgv: profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const orphaned = (): void => {
    child.kill('SIGKILL');
  };
  process.on('exit', orphaned);
  const exited = once(child, 'exit').then(() => process.off('exit', orphaned));
  return {
    pid: child.pid ?? 0,
    ask: asker(child),
    async stop() {
      const insist = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      if (child.connected) child.disconnect();
      await exited;
      clearTimeout(insist);
    },
  };
}

function asker(child: ChildProcess): Helper['ask'] {
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let last = 0;
  child.on('message', (reply: Reply) => {
    const asked = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ('error' in reply) asked?.reject(new Error(reply.error));
    else asked?.resolve(reply.result as never);
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the process ended before it answered'));
  });
  return (what, how) =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve, reject });
      const question: Question = { id, what, how };
      child.send(question, (error) => {
        if (error !== null) reject(error);
      });
    });
}

/** In the helper: answers by name. Ends, after `end`, when nobody can ask any more. */
export function answerQuestions(
  answers: Readonly<Record<string, (how: never) => unknown>>,
  end: () => unknown = () => undefined,
): void {
  process.on('message', (question: Question) => void answer(answers, question));
  process.once('disconnect', () => {
    void Promise.resolve(end()).finally(() => process.exit(0));
  });
}

async function answer(
  answers: Readonly<Record<string, (how: never) => unknown>>,
  { id, what, how }: Question,
): Promise<void> {
  let reply: Reply;
  try {
    const named = answers[what];
    if (named === undefined) throw new Error(`nobody answers ${what}`);
    reply = { id, result: await named(how as never) };
  } catch (thrown) {
    reply = { id, error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) };
  }
  // Nobody is there to be told when the bench was stopped meanwhile.
  if (process.connected) process.send?.(reply, undefined, undefined, () => undefined);
}

/** Ticks of /proc/PID/stat; 100 a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU that a process has used so far, user and system, all its threads, in seconds; exact to a hundredth. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid.toString()}/stat`, 'latin1');
  // Behind the name, which may hold anything: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
