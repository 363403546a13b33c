import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from './child.ts';
import { watchMemory } from './memory.ts';

export interface StartOptions {
  /** Added to this process' own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The repository's root when left out. */
  readonly cwd?: string;
}

export interface Program extends Child {
  /** The highest RssAnon + RssShmem of the process, sampled every 50 ms, since start or `resetPeakMemory`. */
  readonly peakMemoryBytes: number;
  resetPeakMemory(): void;
}

/** Starts the built program, `node bin/sluis.cjs ARGS…`. It listens where its arguments say. */
export async function startProgram(args: readonly string[], options: StartOptions = {}): Promise<Program> {
  const root = projectRoot();
  const child = await startChild(process.execPath, [join(root, 'bin', 'sluis.cjs'), ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
  });
  const memory = watchMemory(child.pid);
  void child.exited.then(() => memory.stop());
  return {
    ...child,
    get running() {
      return child.running;
    },
    get peakMemoryBytes() {
      return memory.peakBytes;
    },
    resetPeakMemory: () => memory.reset(),
  };
}

/** The folder of package.json: this file runs from test/support, and built from dist/test/support. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('no package.json above test/support');
    folder = parent;
  }
  return folder;
}
