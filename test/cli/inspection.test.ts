import { writeFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { inspectFile } from '../../src/cli/inspection.ts';
import { Inspector } from '../../src/work/inspector.ts';
import { type Built, ct, part10 } from '../dicom/builder.ts';
import { openTempFolder } from '../support/temp-folder.ts';

const folder = await openTempFolder('sluis-inspection');
afterAll(() => folder.remove());

const other: Built = {
  tag: 0x00400561,
  vr: 'SQ',
  items: [[{ tag: 0x00100020, vr: 'LO', value: 'ANOTHER' }]],
};
const behind = (tag: number, bytes: number): Buffer =>
  part10(ct([{ tag, vr: 'OB', value: Buffer.alloc(bytes) }, other]), 'explicit-le');
const early = part10(
  ct().filter(({ tag }) => tag < 0x00200000),
  'explicit-le',
);

describe('a file', () => {
  it.each([
    ['names another patient early', behind(0x00211010, 60_000)],
    ['names another patient behind 128 KiB', behind(0x00211010, 200_000)],
    ['names another patient behind a long head', behind(0x00091010, 600_000)],
    ['ends in zeros and something else', Buffer.concat([early, Buffer.alloc(200_000), Buffer.from([1])])],
    ['is no DICOM', Buffer.alloc(200_000, 'Geachte collega. ')],
  ])('that %s is to its sender what it is to the exchange', async (_, bytes) => {
    const path = folder.file('instance.dcm');
    await writeFile(path, bytes);
    const inspector = new Inspector(bytes.byteLength);
    inspector.feed(bytes);
    const { scan, identity, sha256, error } = inspector.finish();
    const found = await inspectFile(path, () => undefined);
    expect([found.scan, found.identity]).toEqual([scan, identity]);
    expect(found.sha256).toBe(Buffer.from(sha256).toString('hex'));
    expect(found.detail).toContain(error?.reason ?? '');
  });
});
