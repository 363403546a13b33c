import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asError } from '../ops/error.ts';

/** Of memory sticks and some shares. */
const noHardLinks: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Those that are open. A program that is told to stop takes them along: they may hold gigabytes of patient data. */
const unfinished = new Set<string>();

/** Those that are being made: one that appears behind our back would stay. */
const opening = new Set<Promise<FileHandle>>();

async function onSignal(signal: NodeJS.Signals): Promise<void> {
  await Promise.allSettled(opening);
  for (const path of unfinished) rmSync(path, { force: true });
  // Without a listener it does what it does to any program.
  stopListening();
  process.kill(process.pid, signal);
}

function forget(path: string): void {
  const wasThere = unfinished.delete(path);
  if (wasThere && unfinished.size === 0) stopListening();
}

function onListened(signal: NodeJS.Signals): void {
  void onSignal(signal);
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function listen(): void {
  for (const signal of SIGNALS) process.on(signal, onListened);
}

function stopListening(): void {
  for (const signal of SIGNALS) process.off(signal, onListened);
}

/**
 * A file that appears whole or not at all, for this user alone, and never in the place of another. Until
 * then it has a name of nobody's choosing; hidden, so that what a kill leaves is never sent.
 */
export class NewFile {
  readonly path: string;
  readonly #file: FileHandle;
  #isOpen = true;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Rejects with the error of the file system. */
  static async open(folder: string): Promise<NewFile> {
    const path = join(folder, `.${randomUUID()}.part`);
    if (unfinished.size === 0) listen();
    unfinished.add(path);
    const opened = open(path, 'wx', 0o600);
    opening.add(opened);
    try {
      return new NewFile(path, await opened);
    } catch (error) {
      forget(path);
      throw error;
    } finally {
      opening.delete(opened);
    }
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    await this.#file.writeFile(bytes);
  }

  /** Gives it its name, in the folder it is in. False when something has that name; then it may be given another. */
  async appearAs(path: string): Promise<boolean> {
    // Some shares say only now that they are full.
    await this.#end();
    try {
      await link(this.path, path).catch(async (thrown: NodeJS.ErrnoException) => {
        if (!noHardLinks.has(thrown.code)) throw thrown;
        // What is replaced is then the empty file that took the name just before, and nothing else.
        await (await open(path, 'wx', 0o600)).close();
        await rename(this.path, path);
      });
      return true;
    } catch (thrown) {
      const error: NodeJS.ErrnoException = asError(thrown);
      if (error.code !== 'EEXIST') throw error;
      return false;
    }
  }

  /** Ends it; what has not appeared is gone. */
  async close(): Promise<void> {
    try {
      await this.#end();
    } finally {
      await rm(this.path, { force: true });
      forget(this.path);
    }
  }

  async #end(): Promise<void> {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    if (wasOpen) await this.#file.close();
  }
}
