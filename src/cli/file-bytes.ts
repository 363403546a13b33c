import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { READ_BYTES } from './limits.ts';

/** The bytes [from, to) of a file, into `into` from its start. Resolves with how many there were. */
export async function readFully(
  file: FileHandle,
  into: Uint8Array,
  from: number,
  to: number,
): Promise<number> {
  let done = 0;
  while (from + done < to) {
    const { bytesRead } = await file.read(into, done, to - from - done, from + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/**
 * The bytes [from, to) of a file in pieces of at most 1 MiB, the next one being read while the caller
 * works on the last. A piece is valid until the next but one is asked for. Ends early where the file does.
 */
export async function* pieces(file: FileHandle, from: number, to: number): AsyncGenerator<Uint8Array> {
  const bytes = Math.min(READ_BYTES, to - from);
  if (bytes <= 0) return;
  let [spare, buffer] = [Buffer.allocUnsafe(bytes), Buffer.allocUnsafe(bytes)];
  const fetch = (into: Uint8Array, at: number) => readFully(file, into, at, Math.min(at + bytes, to));
  let at = from;
  let reading = fetch(buffer, at);
  for (;;) {
    const read = await reading;
    const piece = buffer.subarray(0, read);
    at += read;
    [spare, buffer] = [buffer, spare];
    const last = read < bytes || at >= to;
    if (!last) {
      reading = fetch(buffer, at);
      // Should the caller leave the loop, nobody awaits this read; its failure must not end the process.
      reading.catch(() => undefined);
    }
    if (read > 0) yield piece;
    if (last) return;
  }
}

/** The SHA-256 of a file, hexadecimal; undefined when it is not there. `onBytes` counts what was read. */
export async function digestOf(path: string, onBytes: (bytes: number) => void): Promise<string | undefined> {
  const file = await open(path, 'r').catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'ENOENT') throw thrown;
    return undefined;
  });
  if (file === undefined) return undefined;
  try {
    const hash = createHash('sha256');
    for await (const piece of pieces(file, 0, (await file.stat()).size)) {
      hash.update(piece);
      onBytes(piece.length);
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
