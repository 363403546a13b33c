// Runs another program and waits for it. Nothing but Node: this is there before anything is installed.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The main file of a development tool, so that no shell and no PATH is needed to run it. */
export const tool = (...path) => join(root, 'node_modules', ...path);

/**
 * Resolves with the exit code; a signal counts as 128 + its number, as shells do. Output goes where ours
 * goes, unless `quiet`: then it is kept and resolved with.
 */
export function command(file, args, { env = process.env, cwd = root, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    let output = '';
    child.stdout?.on('data', (piece) => (output += piece));
    child.stderr?.on('data', (piece) => (output += piece));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? codeOf(signal), output }));
  });
}

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
export const codeOf = (signal) => 128 + (SIGNALS[signal] ?? 0);

/** `12.3 s` since `startedAt`. */
export const secondsSince = (startedAt) => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
