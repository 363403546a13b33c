import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StorageFull } from '../../src/storage/errors.ts';
import { UploadClaimed } from '../../src/upload/errors.ts';
import { uploadsPath } from '../../src/upload/tus.ts';
import { kinds } from '../http/kinds.ts';
import { until } from '../support/until.ts';
import { pattern } from './engine.ts';
import { partialUpload, problemOf, RufhServer, stateOf, typeOf, unknownPath } from './rufh-client.ts';
import { base64, idOf, type Reply } from './tus-client.ts';
import { withWriter } from './wrapped-storage.ts';

describe.each(kinds)('problems of Resumable Uploads for HTTP on %s', (kind) => {
  let server: RufhServer;
  let terminable: () => void;
  let claims: () => void;

  beforeEach(async () => {
    terminable = () => undefined;
    claims = () => undefined;
    server = await RufhServer.open(kind, {
      settings: { bytesMax: 1_000_000, checkpointMs: 20 },
      hooks: { terminable: () => terminable(), claims: () => claims() },
    });
  });
  afterEach(() => server.close());

  it('answers a wrong offset with 409, the right one and both numbers, and changes nothing', async () => {
    const location = await server.create(100);
    await server.patch(location, 0, pattern(40));
    for (const [offset, complete] of [
      [39, '?0'],
      [41, '?0'],
      [0, '?1'],
    ] as const) {
      const reply = await server.patch(location, offset, pattern(10, 9), { complete });
      expect(stateOf(reply)).toEqual([409, '40', '?0']);
      expect(problemOf(reply)).toMatchObject({
        type: 'https://iana.org/assignments/http-problem-types#mismatching-upload-offset',
        title: 'Mismatching Upload Offset',
        'expected-offset': 40,
        'provided-offset': offset,
        code: 'SLUIS_UPLOAD_OFFSET_CONFLICT',
        remedy: 'resume',
      });
    }
    expect(await server.engine.file(idOf(location))).toEqual(pattern(40));
    expect((await server.patch(location, 40, pattern(10))).status).toBe(204);
  });

  it('refuses a creation whose lengths differ before anything is created', async () => {
    claims = () => {
      throw new Error('created');
    };
    const reply = await server.post('?1', { 'Upload-Length': '100' }, pattern(50));
    expect(stateOf(reply)).toEqual([400, undefined, '?0']);
    expect(problemOf(reply)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
      code: 'SLUIS_UPLOAD_LENGTH_INCONSISTENT',
    });
    const beyond = await server.post('?0', { 'Upload-Length': '10' }, pattern(50));
    expect([stateOf(beyond), typeOf(beyond)]).toEqual([[400, undefined, '?0'], 'inconsistent-upload-length']);
    expect(server.engine.uploads.load.open).toBe(0);
  });

  it('refuses a length that differs from the known one, however it is told', async () => {
    const location = await server.create(100);
    const cases: [string, () => Promise<Reply>][] = [
      [
        'by Upload-Length',
        () => server.patch(location, 0, pattern(10), { headers: { 'Upload-Length': '50' } }),
      ],
      ['by the end of the last body', () => server.patch(location, 0, pattern(99), { complete: '?1' })],
      ['beyond the end', () => server.patch(location, 0, pattern(101), { complete: '?1' })],
      ['by no bytes at all', () => server.patch(location, 0, pattern(0), { complete: '?1' })],
      [
        'in two ways at once',
        () => server.patch(location, 0, pattern(10), { complete: '?1', headers: { 'Upload-Length': '100' } }),
      ],
    ];
    for (const [how, ask] of cases) {
      const reply = await ask();
      expect([how, ...stateOf(reply), typeOf(reply)]).toEqual([
        how,
        400,
        '0',
        '?0',
        'inconsistent-upload-length',
      ]);
    }
    expect(stateOf(await server.patch(location, 0, pattern(100), { complete: '?1' }))).toEqual([
      201,
      '100',
      '?1',
    ]);
    const open = await server.create();
    await server.patch(open, 0, pattern(50));
    const below = await server.patch(open, 50, pattern(0), { headers: { 'Upload-Length': '40' } });
    expect([stateOf(below), typeOf(below)]).toEqual([[400, '50', '?0'], 'inconsistent-upload-length']);
  });

  it('makes an upload invalid when a body goes beyond its length', async () => {
    for (const [before, body] of [
      [0, 101],
      [100, 1],
    ] as const) {
      const location = await server.create(100);
      await server.patch(location, 0, pattern(before));
      const reply = await server.patch(location, before, pattern(body));
      expect(stateOf(reply)).toEqual([400, undefined, '?0']);
      expect(problemOf(reply)).toMatchObject({
        type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
        code: 'SLUIS_UPLOAD_BODY_BEYOND_LENGTH',
      });
      expect((await server.head(location)).status).toBe(404);
      expect((await server.patch(location, before, pattern(1))).status).toBe(404);
    }
    expect(server.engine.received).toEqual([]);
  });

  it('does not make it invalid over the head of a transfer that holds it', async () => {
    terminable = () => {
      throw new UploadClaimed();
    };
    const location = await server.create(100);
    expect(stateOf(await server.patch(location, 0, pattern(101)))).toEqual([400, '0', '?0']);
    expect(stateOf(await server.head(location))).toEqual([204, '0', '?0']);
    expect((await server.call('DELETE', location)).status).toBe(403);
  });

  it('takes nothing more once an upload is complete, and says that it is', async () => {
    const { headers } = await server.post('?1', {}, pattern(10));
    const location = String(headers.location);
    for (const complete of ['?1', '?0']) {
      const again = await server.patch(location, 10, pattern(0), { complete });
      expect([stateOf(again), typeOf(again)]).toEqual([[400, '10', '?1'], 'completed-upload']);
      const more = await server.patch(location, 10, pattern(1), { complete });
      expect([stateOf(more), typeOf(more)]).toEqual([[400, '10', '?1'], 'inconsistent-upload-length']);
      const stale = await server.patch(location, 0, pattern(10), { complete });
      expect([stateOf(stale), typeOf(stale)]).toEqual([[409, '10', '?1'], 'mismatching-upload-offset']);
    }
    expect(server.engine.received).toEqual([idOf(location)]);
    expect((await server.engine.bytes(idOf(location))).equals(pattern(10))).toBe(true);
  });

  it('answers what is too large with its limit', async () => {
    const cases: [string, () => Promise<Reply>][] = [
      ['by Upload-Length', () => server.post('?0', { 'Upload-Length': '1000001' })],
      ['by its body', () => server.post('?1', {}, pattern(1_000_001))],
      ['by a body that is not the last', () => server.post('?0', {}, pattern(1_000_001))],
    ];
    for (const [how, ask] of cases) {
      const reply = await ask();
      expect([how, ...stateOf(reply)]).toEqual([how, 413, undefined, '?0']);
      expect(reply.headers['upload-limit']).toMatch(/^max-size=1000000, max-age=\d+$/);
    }
    expect(server.engine.uploads.load.open).toBe(0);
    const location = await server.create();
    for (const complete of ['?0', '?1']) {
      const reply = await server.patch(location, 0, pattern(1_000_001), { complete });
      expect(stateOf(reply)).toEqual([413, '0', '?0']);
      expect(reply.headers['upload-limit']).toMatch(/^max-size=1000000, max-age=\d+$/);
    }
  });

  it('names the cause of every other refusal, with the true state of the upload', async () => {
    const location = await server.create(100);
    await server.patch(location, 0, pattern(5));
    const one = pattern(1);
    const invalid = [400, 'SLUIS_UPLOAD_HEADER_INVALID'] as const;
    const state = ['5', '?0'] as const;
    const patch = (headers: Record<string, string>): Promise<Reply> =>
      server.patch(location, 5, one, { headers });
    const cases: [string, () => Promise<Reply>, readonly [number, string], readonly unknown[]][] = [
      [
        'another media type',
        () => patch({ 'Content-Type': 'text/plain' }),
        [415, 'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED'],
        state,
      ],
      [
        'two media types',
        () => patch({ 'Content-Type': `${partialUpload}; a=b, text/plain` }),
        [415, 'SLUIS_UPLOAD_MEDIA_TYPE_UNSUPPORTED'],
        state,
      ],
      ['a coded body', () => patch({ 'Content-Encoding': 'gzip' }), invalid, state],
      ['a digest of the whole', () => patch({ 'Repr-Digest': 'sha-256=:AA==:' }), invalid, state],
      [
        'no offset',
        () => server.call('PATCH', location, { 'Content-Type': partialUpload, 'Upload-Complete': '?0' }, one),
        invalid,
        state,
      ],
      [
        'no completeness',
        () => server.call('PATCH', location, { 'Content-Type': partialUpload, 'Upload-Offset': '5' }, one),
        invalid,
        state,
      ],
      [
        'no such upload',
        () => server.patch(unknownPath, 0, one),
        [404, 'SLUIS_UPLOAD_NOT_FOUND'],
        [undefined, undefined],
      ],
      [
        'no id',
        () => server.patch(`${uploadsPath}/..%2f..`, 0, one),
        [404, 'SLUIS_UPLOAD_NOT_FOUND'],
        [undefined, undefined],
      ],
      [
        'not known',
        () => server.patch(location, 5, one, { token: 'x' }),
        [401, 'SLUIS_ACCESS_UNAUTHORIZED'],
        [undefined, undefined],
      ],
      ['a coding', () => server.post('?1', { 'Content-Encoding': 'gzip' }, one), invalid, [undefined, '?0']],
      [
        'no media type',
        () => server.post('?1', { 'Content-Type': 'dicom' }, one),
        invalid,
        [undefined, '?0'],
      ],
      [
        'a bad priority',
        () => server.post('?1', { 'Upload-Metadata': `priority ${base64('high')}` }, one),
        invalid,
        [undefined, '?0'],
      ],
      [
        'a method of no use',
        () => server.call('PUT', location, { 'Upload-Complete': '?1' }, one),
        [405, 'SLUIS_HTTP_METHOD_NOT_ALLOWED'],
        [undefined, undefined],
      ],
      [
        'another creating method',
        () => server.call('PUT', uploadsPath, { 'Upload-Complete': '?1' }, one),
        [405, 'SLUIS_HTTP_METHOD_NOT_ALLOWED'],
        [undefined, undefined],
      ],
    ];
    for (const offset of ['abc', '-5', '5.0', '"5"', '5, 5', '9'.repeat(16), '']) {
      cases.push([`an offset of ${offset}`, () => patch({ 'Upload-Offset': offset }), invalid, state]);
    }
    for (const complete of ['true', '1', '?2', '?', '?1, ?0', '?1,', '"?1"', '']) {
      cases.push([
        `a completeness of ${complete}`,
        () => patch({ 'Upload-Complete': complete }),
        invalid,
        state,
      ]);
      cases.push([
        `a creation ${complete}`,
        () => server.post(complete, {}, one),
        invalid,
        [undefined, '?0'],
      ]);
    }
    for (const [why, ask, [status, code], about] of cases) {
      const reply = await ask();
      const [, ...told] = stateOf(reply);
      expect([why, reply.status, problemOf(reply).code, told]).toEqual([why, status, code, about]);
    }
    expect(server.engine.record(idOf(location)).offset).toBe(5);
    expect((await patch({ 'Content-Type': 'text/plain' })).headers['accept-patch']).toContain(partialUpload);
    expect((await server.patch(location, 5, one, { token: 'x' })).headers['www-authenticate']).toMatch(
      /^Bearer/,
    );
  });

  it('refuses a HEAD that already tells what it asks for', async () => {
    const location = await server.create(10);
    for (const name of ['Upload-Offset', 'Upload-Complete']) {
      const { status, body } = await server.call('HEAD', location, { [name]: '?0' });
      expect([status, body.byteLength]).toEqual([400, 0]);
    }
  });

  it('creates nothing when a transfer refuses the upload, and says nothing of why it did', async () => {
    claims = () => {
      throw new Error('not for you');
    };
    const { status, body, headers } = await server.post('?1', {}, pattern(10));
    expect([status, headers.location]).toEqual([500, undefined]);
    expect(body.toString()).not.toContain('not for you');
    expect(server.engine.uploads.load.open).toBe(0);
  });
});

describe.each(kinds)('a disk that is full, on %s', (kind) => {
  let server: RufhServer;
  /** Nothing is written from here on. */
  let fullAt: number;

  beforeEach(async () => {
    fullAt = 100_000;
    server = await RufhServer.open(kind, {
      settings: { checkpointMs: 20 },
      wrap: (storage) =>
        withWriter(storage, (writer) => ({
          write: async (bytes, position) => {
            checkRoom(position + bytes.byteLength);
            await writer.write(bytes, position);
          },
          // Bursts come this way.
          writeSync: (bytes, position) => {
            checkRoom(position + bytes.byteLength);
            writer.writeSync(bytes, position);
          },
        })),
    });
  });
  afterEach(() => server.close());

  const checkRoom = (end: number): void => {
    if (end > fullAt) throw new StorageFull('the disk is full');
  };
  const bytes = pattern(1_000_000);

  /** Sends the first bytes, which find room, and the others when they are recorded. */
  async function createInTwo(complete: string): Promise<[number, string, string]> {
    const socket = server.begin('POST', uploadsPath, {
      'Upload-Complete': complete,
      'Upload-Length': '1000000',
      'Content-Length': '1000000',
    });
    let answered = '';
    socket.on('data', (chunk: Buffer) => {
      answered += chunk.toString('latin1');
    });
    socket.write(bytes.subarray(0, 50_000));
    await until(() => server.engine.published.some(({ offset }) => offset === 50_000));
    socket.write(bytes.subarray(50_000));
    await until(() => answered.includes('\r\n\r\n'));
    socket.destroy();
    const [, status] = /^HTTP\/1\.1 (\d+) /.exec(answered) ?? [];
    const [, location = ''] = /\r\nLocation: (\S+)\r\n/i.exec(answered) ?? [];
    const [, isComplete = ''] = /\r\nUpload-Complete: (\S+)\r\n/i.exec(answered) ?? [];
    return [Number(status), isComplete, location];
  }

  it.each([
    ['?1', 507],
    ['?0', 201],
  ] as const)('leaves what a creation brought, and tells where it is: %s', async (complete, expected) => {
    const [status, isComplete, location] = await createInTwo(complete);
    expect([status, isComplete]).toEqual([expected, '?0']);
    const [, offset] = stateOf(await server.head(location));
    expect(Number(offset)).toBeGreaterThanOrEqual(50_000);
    fullAt = Number.POSITIVE_INFINITY;
    const rest = bytes.subarray(Number(offset));
    expect(stateOf(await server.patch(location, Number(offset), rest, { complete: '?1' }))).toEqual([
      201,
      '1000000',
      '?1',
    ]);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('leaves nothing of a creation that was to be complete at once and brought nothing', async () => {
    fullAt = 0;
    const reply = await server.post('?1', {}, pattern(1000));
    expect([stateOf(reply), reply.headers.location]).toEqual([[507, undefined, '?0'], undefined]);
    expect(server.engine.uploads.load.open).toBe(0);
  });

  it('ends a PATCH with 507 and the true offset', async () => {
    const location = await server.create(1_000_000);
    await server.patch(location, 0, bytes.subarray(0, 50_000));
    fullAt = 50_000;
    expect(stateOf(await server.patch(location, 50_000, bytes.subarray(50_000), { complete: '?1' }))).toEqual(
      [507, '50000', '?0'],
    );
  });
});
