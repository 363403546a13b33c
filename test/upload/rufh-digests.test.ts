import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DigestOf, digestOf } from '../../src/upload/digest.ts';
import { kinds } from '../http/kinds.ts';
import { until } from '../support/until.ts';
import { alice, pattern } from './engine.ts';
import { digest, problemOf, RufhServer, stateOf, typeOf } from './rufh-client.ts';
import { base64, idOf, type Reply } from './tus-client.ts';

describe.each(kinds)('digests of RFC 9530 on %s', (kind) => {
  let server: RufhServer;
  let expired: string[];
  let isHeldBack: boolean;
  let verify: DigestOf;

  beforeEach(async () => {
    expired = [];
    isHeldBack = false;
    server = await RufhServer.open(kind, {
      settings: { checkpointMs: 5, checkpointBytes: 64 * 1024 },
      hooks: { expired: (_tx, { id }) => void expired.push(id) },
      wrap: (storage) => {
        verify = digestOf(storage);
        return storage;
      },
      // Of a large upload it takes long.
      digest: async (upload, algorithm) => {
        await until(() => !isHeldBack);
        return verify(upload, algorithm);
      },
    });
  });
  afterEach(() => server.close());

  const bytes = pattern(300_000);
  const wrong = digest(pattern(300_000, 2));

  it.each(['sha-256', 'sha-512'] as const)(
    'verifies each body by its Content-Digest: %s',
    async (algorithm) => {
      const [first, last] = [bytes.subarray(0, 200_000), bytes.subarray(200_000)];
      const created = await server.post('?0', { 'Content-Digest': digest(first, algorithm) }, first);
      expect(stateOf(created)).toEqual([201, '200000', '?0']);
      const location = String(created.headers.location);
      const headers = { 'Content-Digest': digest(last, algorithm) };
      expect(stateOf(await server.patch(location, 200_000, last, { complete: '?1', headers }))).toEqual([
        201,
        '300000',
        '?1',
      ]);
      expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
    },
  );

  it('takes nothing of a body that is not what its Content-Digest says, and takes it when it comes again', async () => {
    const location = await server.create(300_000);
    await server.patch(location, 0, bytes.subarray(0, 100_000));
    const rest = bytes.subarray(100_000);
    const headers = { 'Content-Digest': digest(rest) };
    for (const complete of ['?0', '?1']) {
      const damaged = Buffer.from(rest);
      damaged[150_000] = (damaged[150_000] ?? 0) ^ 1;
      const reply = await server.patch(location, 100_000, damaged, { complete, headers });
      expect(stateOf(reply)).toEqual([400, '100000', '?0']);
      expect(problemOf(reply)).toMatchObject({
        type: 'https://iana.org/assignments/http-problem-types#digest-mismatched-values',
        title: 'Mismatched Digest Values',
        'mismatched-digests': [
          {
            algorithm: 'sha-256',
            'provided-digest': digest(rest).slice('sha-256='.length),
            header: 'Content-Digest',
          },
        ],
        code: 'SLUIS_UPLOAD_CHECKSUM_MISMATCH',
        remedy: 'resume',
      });
      expect(stateOf(await server.head(location))).toEqual([204, '100000', '?0']);
    }
    expect(server.engine.received).toEqual([]);
    expect(stateOf(await server.patch(location, 100_000, rest, { complete: '?1', headers }))).toEqual([
      201,
      '300000',
      '?1',
    ]);
    expect((await server.engine.bytes(idOf(location))).equals(bytes)).toBe(true);
  });

  it('keeps nothing of a creation whose body is not what its Content-Digest says', async () => {
    for (const complete of ['?0', '?1']) {
      const reply = await server.post(complete, { 'Content-Digest': wrong }, bytes);
      expect([stateOf(reply), typeOf(reply)]).toEqual([[400, undefined, '?0'], 'digest-mismatched-values']);
      expect(reply.headers.location).toBeUndefined();
    }
    expect(server.engine.uploads.load.open).toBe(0);
    expect(server.engine.received).toEqual([]);
  });

  it('verifies a body of no bytes too', async () => {
    const reply = await server.post('?0', { 'Content-Digest': wrong });
    expect([reply.status, typeOf(reply)]).toEqual([400, 'digest-mismatched-values']);
    expect((await server.post('?0', { 'Content-Digest': digest(pattern(0)) })).status).toBe(201);
  });

  it.each(['sha-256', 'sha-512'] as const)(
    'verifies the whole by its Repr-Digest, and tells it: %s',
    async (algorithm) => {
      const whole = digest(bytes, algorithm);
      const location = await server.create(300_000, { 'Repr-Digest': whole });
      expect((await server.head(location)).headers['repr-digest']).toBeUndefined();
      await server.patch(location, 0, bytes.subarray(0, 100_000));
      const reply = await server.patch(location, 100_000, bytes.subarray(100_000), { complete: '?1' });
      expect([stateOf(reply), reply.headers['repr-digest']]).toEqual([[201, '300000', '?1'], whole]);
      expect((await server.head(location)).headers['repr-digest']).toBe(whole);
      expect(server.engine.received).toEqual([idOf(location)]);
      const atOnce = await server.post('?1', { 'Repr-Digest': whole }, bytes);
      expect([stateOf(atOnce), atOnce.headers['repr-digest']]).toEqual([[201, '300000', '?1'], whole]);
    },
  );

  it('removes an upload that is not what its Repr-Digest says, and says that sending more would not help', async () => {
    const transfer = '01890a5d-ac96-774b-bcce-b302099a8058';
    const location = await server.create(300_000, {
      'Repr-Digest': wrong,
      'Upload-Metadata': `transfer ${base64(transfer)}`,
    });
    const reply = await server.patch(location, 0, bytes, { complete: '?1' });
    expect(stateOf(reply)).toEqual([400, undefined, '?1']);
    expect(problemOf(reply)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#digest-mismatched-values',
      'mismatched-digests': [
        { algorithm: 'sha-256', 'provided-digest': wrong.slice('sha-256='.length), header: 'Repr-Digest' },
      ],
      code: 'SLUIS_UPLOAD_DIGEST_MISMATCH',
      remedy: 'fix-request',
    });
    expect((await server.head(location)).status).toBe(404);
    expect([server.engine.received, expired]).toEqual([[], [idOf(location)]]);
    const atOnce = await server.post('?1', { 'Repr-Digest': wrong }, bytes);
    expect([stateOf(atOnce), typeOf(atOnce)]).toEqual([[400, undefined, '?1'], 'digest-mismatched-values']);
    expect(server.engine.uploads.load.open).toBe(0);
  });

  it('is not complete while the whole is being verified, and whoever asks to complete it again waits too', async () => {
    const location = await server.create(300_000, { 'Repr-Digest': digest(bytes) });
    await server.patch(location, 0, bytes);
    isHeldBack = true;
    const first = server.patch(location, 300_000, pattern(0), { complete: '?1' });
    await until(() => server.engine.uploads.head(idOf(location), alice).state === 'verifying');
    expect(stateOf(await server.head(location))).toEqual([204, '300000', '?0']);
    const again = server.patch(location, 300_000, pattern(0), { complete: '?1' });
    isHeldBack = false;
    expect([stateOf(await first), stateOf(await again)]).toEqual([
      [201, '300000', '?1'],
      expect.arrayContaining(['300000', '?1']),
    ]);
    expect(server.engine.received).toEqual([idOf(location)]);
  });

  it('takes the digest that it knows among others', async () => {
    const headers = { 'Content-Digest': `md5=:AAAA:, ${digest(bytes)}, unixsum=:AA==:;x=1` };
    expect((await server.post('?1', headers, bytes)).status).toBe(201);
    const mixed = { 'Content-Digest': `${digest(bytes, 'sha-512')},${wrong}` };
    expect((await server.post('?1', mixed, bytes)).status).toBe(400);
  });

  it('takes a field that comes in two lines for one', async () => {
    const headers = { 'Content-Digest': ['md5=:AAAA:', digest(bytes)] };
    expect((await server.post('?1', headers, bytes)).status).toBe(201);
  });

  it('refuses digests that it cannot verify before it takes a byte', async () => {
    const location = await server.create(300_000);
    const both = (value: string): [string, () => Promise<Reply>][] => [
      ['Content-Digest', () => server.post('?1', { 'Content-Digest': value }, bytes)],
      ['Repr-Digest', () => server.post('?1', { 'Repr-Digest': value }, bytes)],
      ['Content-Digest', () => server.patch(location, 0, bytes, { headers: { 'Content-Digest': value } })],
    ];
    for (const [header, ask] of both('md5=:AAAA:, unixsum=:AA==:')) {
      const reply = await ask();
      expect(reply.headers[`want-${header.toLowerCase()}`]).toBe('sha-256=10, sha-512=5');
      expect(problemOf(reply)).toMatchObject({
        status: 400,
        type: 'https://iana.org/assignments/http-problem-types#digest-unsupported-algorithms',
        title: 'Unsupported Hashing Algorithms',
        'unsupported-algorithms': [
          { algorithm: 'md5', header },
          { algorithm: 'unixsum', header },
        ],
      });
    }
    for (const [header, ask] of both('sha-512=:AAAA:')) {
      expect(problemOf(await ask())).toMatchObject({
        status: 400,
        type: 'https://iana.org/assignments/http-problem-types#digest-invalid-values',
        title: 'Invalid Digest Values',
        'invalid-digests': [{ algorithm: 'sha-512', header, reason: 'a digest of sha-512 has 64 bytes' }],
      });
    }
    for (const value of [
      '',
      'sha-256',
      'sha-256=AAAA',
      'sha-256=:AA AA:',
      'sha-256=:AAAA',
      'sha-256=:AAAA:,',
      'SHA-256=:AAAA:',
      'sha-256="AAAA"',
    ]) {
      for (const [header, ask] of both(value)) {
        const { type, code } = problemOf(await ask());
        expect([header, value, type, code]).toEqual([
          header,
          value,
          'about:blank',
          'SLUIS_UPLOAD_HEADER_INVALID',
        ]);
      }
    }
    expect(stateOf(await server.head(location))).toEqual([204, '0', '?0']);
    expect(server.engine.uploads.load.open).toBe(1);
  });
});
