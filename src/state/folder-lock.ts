import { randomBytes } from 'node:crypto';
import { linkSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fatal } from '../ops/error.ts';

/** sun_path has 108 bytes on Linux and 104 on macOS, with a zero at the end; a longer path is cut in silence. */
const pathBytesMax = 103;

/** In the folder: the lock, and a name of as many bytes for one that is being looked at. */
const lockName = 'exchange.lock';
const asideName = (): string => `.${randomBytes(6).toString('hex')}`;

/** Stale locks come one after the other only when others start at the same time. */
const triesMax = 10;

/** From bind to listen, on a busy machine. */
const listenMs = 20;

/** Whoever took our fresh socket for a stale one all the same is done by then. */
const settleMs = 100;

/** Errors of a connection to a socket that no process holds. Any other (a full backlog) is no proof. */
const nobodyThere: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT']);

/**
 * Keeps a second exchange off a data folder. A Unix socket in the folder: it answers as long as its
 * process lives, so one that a kill left behind is told from one that is held.
 *
 * A stale one is taken out of the way by renaming it and asked once more under its new name: what was
 * asked about is then what is removed, and never the socket of somebody who came meanwhile.
 */
export class FolderLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Throws Fatal when another process has the folder. */
  static async take(folder: string): Promise<FolderLock> {
    const path = join(folder, lockName);
    if (Buffer.byteLength(path) > pathBytesMax) {
      throw new Fatal(
        `the path of the data folder is too long for a lock: at most ${pathBytesMax - lockName.length - 1} bytes`,
        5,
      );
    }
    const name = randomBytes(16).toString('hex');
    for (let tries = 0; tries < triesMax; tries++) {
      const server = await bind(path, name);
      if (server !== 'taken') {
        await sleep(settleMs);
        if ((await whoAnswers(path)) === name) {
          return new FolderLock(server);
        }
        // Not closed: closing removes whatever has the path now. It ends with the process.
        continue;
      }
      if (await isHeld(path)) {
        throw new Fatal(
          `another exchange runs on the data folder ${folder}: stop it, or give another --data`,
          5,
        );
      }
      await removeStale(folder, path);
    }
    throw new Fatal(`another exchange is starting on the data folder ${folder}: give another --data`, 5);
  }

  async release(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function removeStale(folder: string, path: string): Promise<void> {
  const aside = join(folder, asideName());
  try {
    renameSync(path, aside);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return;
    }
    throw error;
  }
  if (await isHeld(aside)) {
    // Somebody took the stale one away and came in its place: give it back, unless a third one came too.
    try {
      linkSync(aside, path);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) {
        throw error;
      }
    }
  }
  rmSync(aside, { force: true });
}

/** Asked twice: a socket is there a moment before it listens. */
async function isHeld(path: string): Promise<boolean> {
  if ((await whoAnswers(path)) !== undefined) {
    return true;
  }
  await sleep(listenMs);
  return (await whoAnswers(path)) !== undefined;
}

/** Binding is what takes the lock: of two at once one finds the path taken. It tells its name to who asks. */
function bind(path: string, name: string): Promise<Server | 'taken'> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(name);
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') {
        resolve('taken');
      } else {
        reject(new Fatal(`cannot lock ${path}: ${error.message}`, 5));
      }
    });
    server.listen(path, () => resolve(server));
  });
}

/** The name of the process that holds the socket, perhaps ''; undefined when none does. */
function whoAnswers(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(path).setEncoding('latin1');
    socket.on('data', (text: string) => {
      said += text;
    });
    socket.once('end', () => {
      socket.destroy();
      resolve(said);
    });
    socket.once('error', (error) => {
      resolve('code' in error && nobodyThere.has(error.code) ? undefined : said);
    });
    // A process that is stopped (SIGSTOP) has the lock and says nothing.
    socket.setTimeout(1000, () => {
      socket.destroy();
      resolve(said);
    });
  });
}
