import { crc32, inflateRawSync } from 'node:zlib';
import { expect } from 'vitest';
import type { Part } from '../../src/study/package.ts';
import type { ZipFile } from '../support/zip.ts';

export const ZIP = 'application/zip';

/** A preamble, and as much behind it as is wanted. */
export function dicom(bytes = 300, fill = 7): Buffer {
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(bytes, fill)]);
}

export function image(name: string | Buffer, more: Partial<ZipFile> = {}): ZipFile {
  return { name, data: dicom(), ...more };
}

export function names(parts: readonly Part[]): (string | undefined)[] {
  return parts.map(({ entry }) => entry?.name);
}

/** What an entry holds, taken out by what the walk says of it alone. */
export function contentOf(whole: Uint8Array, { start, bytes, entry }: Part): Buffer {
  const data = whole.subarray(start, start + bytes);
  const content = entry?.method === 'deflated' ? inflateRawSync(data) : Buffer.from(data);
  expect([content.byteLength, crc32(content)]).toEqual([entry?.bytes, entry?.crc32]);
  return content;
}
