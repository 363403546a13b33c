import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack, unpack } from 'msgpackr';
import { afterAll } from 'vitest';
import { beginWalk, nextParts, type PackageWalk, type Part, type WalkStep } from '../../src/study/package.ts';
import type { ReadRange } from '../../src/study/peek.ts';

/** Settings of a property: as many runs as fit into the time, at least some. */
export const fuzz = {
  numRuns: 5000,
  interruptAfterTimeLimit: Number(process.env.FUZZ_SECONDS ?? 2) * 1000,
} as const;

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A folder that is gone after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluis-test-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestPart {
  readonly data: Uint8Array;
  /** Header lines; `Content-Type: application/dicom` and the length when left out. */
  readonly headers?: readonly string[];
}

export interface TestPackage {
  readonly boundary?: string;
  readonly preamble?: string;
  readonly epilogue?: string;
  readonly parts: readonly TestPart[];
}

export function headersWithLength(data: Uint8Array): string[] {
  return ['Content-Type: application/dicom', `Content-Length: ${data.byteLength.toString()}`];
}

/** A package written by the letter of RFC 2046. */
export function writePackage({
  boundary = 'B',
  preamble = '',
  epilogue = '',
  parts,
}: TestPackage): Uint8Array {
  const chunks = parts.map(({ data, headers = headersWithLength(data) }, index) => {
    const delimiter = `${index === 0 && preamble === '' ? '' : '\r\n'}--${boundary}\r\n`;
    const lines = headers.map((line) => `${line}\r\n`).join('');
    return Buffer.concat([Buffer.from(`${delimiter}${lines}\r\n`, 'latin1'), data]);
  });
  return Buffer.concat([Buffer.from(preamble), ...chunks, Buffer.from(`\r\n--${boundary}--${epilogue}`)]);
}

export interface Reads {
  readonly read: ReadRange;
  /** Bytes that were read in all. */
  bytes: number;
  count: number;
}

export function readsOf(whole: Uint8Array): Reads {
  const reads: Reads = {
    bytes: 0,
    count: 0,
    read: (start, end) => {
      if (!(start >= 0 && start < end && end <= whole.byteLength)) {
        return Promise.reject(new Error(`read from ${start.toString()} to ${end.toString()}`));
      }
      reads.bytes += end - start;
      reads.count += 1;
      return Promise.resolve(whole.subarray(start, end));
    },
  };
  return reads;
}

export interface Walked {
  readonly parts: Part[];
  readonly last: WalkStep;
  readonly reads: Reads;
}

/**
 * Walks over an upload that is published up to each of `checkpoints`, then whole. Between two steps
 * the walk goes through a record, as it does in a follower.
 */
export async function walkThrough(
  whole: Uint8Array,
  filetype: string | null,
  checkpoints: readonly number[] = [],
): Promise<Walked> {
  const reads = readsOf(whole);
  const parts: Part[] = [];
  let walk: PackageWalk = beginWalk(filetype);
  let last: WalkStep = { walk, parts: [], state: 'more' };
  const published = [...checkpoints].sort((a, b) => a - b).map((at) => [at, null] as const);
  for (const [bytes, total] of [...published, [whole.byteLength, whole.byteLength] as const]) {
    for (let calls = 0; last.state === 'more'; calls += 1) {
      if (calls > whole.byteLength + 10) throw new Error('the walk does not end');
      last = await nextParts(walk, reads.read, bytes, total);
      parts.push(...last.parts);
      if (last.walk.at < walk.at) throw new Error('the walk went back');
      walk = unpack(pack(last.walk)) as PackageWalk;
      if (last.parts.length === 0) break;
    }
  }
  return { parts, last, reads };
}
