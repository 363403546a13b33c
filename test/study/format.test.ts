import { describe, expect, it } from 'vitest';
import { beginWalk, nextParts } from '../../src/study/package.ts';
import { readsOf, walkThrough } from './support.ts';

describe('the format of an upload', () => {
  const wholeUpload = (upload: Uint8Array, contentType: string, kind: string) => ({
    ...{ start: 0, bytes: upload.byteLength, contentType, kind },
    ...{ origin: 'part', entry: null, why: null },
  });
  const preamble = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(200, 1)]);
  it.each([
    ['application/dicom', Buffer.from('whatever it is')],
    [null, preamble],
    ['application/octet-stream', preamble],
    [null, Buffer.from([8, 0, 5, 0, 67, 83, 0, 0])],
    [null, Buffer.from([0, 8, 0, 5, 67, 83, 0, 0])],
    [null, Buffer.from([2, 0, 0, 0, 85, 76, 4, 0])],
  ])('is one instance when declared as %s or by its first bytes (%#)', async (filetype, upload) => {
    const { parts, last } = await walkThrough(upload, filetype, [1, 5]);
    expect(last.state).toBe('done');
    expect(parts).toEqual([wholeUpload(upload, 'application/dicom', 'instance')]);
  });

  it('shows an instance that is on its way, of known and unknown length', async () => {
    const { read } = readsOf(preamble);
    const unknown = await nextParts(beginWalk(null), read, 300, null);
    expect([unknown.state, unknown.walk.open]).toMatchObject(['more', { start: 0, bytes: null }]);
    const known = await nextParts(unknown.walk, read, 300, preamble.byteLength);
    expect([known.state, known.walk.open]).toMatchObject(['more', { start: 0, bytes: preamble.byteLength }]);
  });

  it.each([
    [null, '%PDF-1.7', 'application/pdf'],
    [null, '<?xml version="1.0"?>', 'text/xml'],
    [null, '\xef\xbb\xbf<ClinicalDocument/>', 'text/xml'],
    ['application/octet-stream', 'Geachte collega,\r\n\f\xe9', 'text/plain'],
    ['application/pdf', 'x', 'application/pdf'],
    ['text/xml; charset=utf-8', 'x', 'text/xml'],
    ['application/xml', '\0', 'application/xml'],
    ['application/hl7-cda+xml', '\0', 'application/hl7-cda+xml'],
    ['Text/Plain', '%PDF-', 'text/plain'],
  ])('is one report when declared as %s and beginning with %j: %s', async (filetype, text, contentType) => {
    const upload = Buffer.from(text, 'latin1');
    const { parts, last } = await walkThrough(upload, filetype, [1]);
    expect(last.state).toBe('done');
    expect(parts).toEqual([wholeUpload(upload, contentType, 'report')]);
  });

  it('shows a report that is on its way', async () => {
    const { walk } = await nextParts(beginWalk('application/pdf'), readsOf(preamble).read, 300, null);
    expect(walk.open).toEqual({ start: 0, bytes: null, contentType: 'application/pdf', kind: 'report' });
  });

  it.each([
    ['multipart/form-data; boundary=B', '--B\r\n', 'multipart/related'],
    ['multipart/related; type="application/dicom+json"; boundary=B', '--B\r\n', 'multipart/related'],
    [null, '\x7fELF\x02\x01', 'neither'],
  ])('is refused with its name: declared as %s, beginning with %j', async (filetype, text, name) => {
    const { last } = await walkThrough(Buffer.from(text, 'latin1'), filetype);
    expect(last).toMatchObject({ state: 'broken', fault: { code: 'UNSUPPORTED', offset: 0 } });
    expect(last.fault?.reason).toContain(name);
  });

  it('is refused when there is nothing', async () => {
    for (const filetype of [null, 'application/dicom', 'application/pdf', 'application/zip']) {
      expect((await walkThrough(new Uint8Array(0), filetype)).last.fault?.code).toBe('EMPTY');
    }
  });

  it('is refused for a boundary above 70 characters or with signs that none may have', async () => {
    for (const boundary of ['x'.repeat(71), 'a<b', 'ends ']) {
      const { last } = await walkThrough(Buffer.from('--'), `multipart/related; boundary="${boundary}"`);
      expect(last.fault?.code).toBe('MALFORMED');
    }
  });
});
