import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Fatal } from '../ops/error.ts';

/** sun_path has 108 bytes on Linux and 104 on macOS, with a zero at the end; a longer path is cut in silence. */
const pathBytesMax = 103;

/**
 * Keeps a second exchange off a data folder. A Unix socket in the folder: it answers as long as its
 * process lives, so one that a kill left behind is told from one that is held.
 */
export class FolderLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Throws Fatal when another process has the folder. */
  static async take(folder: string): Promise<FolderLock> {
    const path = join(folder, 'exchange.lock');
    if (Buffer.byteLength(path) > pathBytesMax) {
      throw new Fatal(
        `the path of the data folder is too long for a lock: at most ${pathBytesMax - 14} bytes`,
        5,
      );
    }
    let server = await bind(path, folder);
    if (server === 'taken') {
      if (await answers(path)) {
        throw new Fatal(
          `another exchange runs on the data folder ${folder}: stop it, or give another --data`,
          5,
        );
      }
      rmSync(path, { force: true });
      server = await bind(path, folder);
    }
    if (server === 'taken') {
      throw new Fatal(`another exchange is starting on the data folder ${folder}: give another --data`, 5);
    }
    return new FolderLock(server);
  }

  async release(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Binding is what takes the lock: of two at once one finds the path taken. */
function bind(path: string, folder: string): Promise<Server | 'taken'> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') {
        resolve('taken');
      } else {
        reject(new Fatal(`cannot lock ${folder}: ${error.message}`, 5));
      }
    });
    server.listen(path, () => resolve(server));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
