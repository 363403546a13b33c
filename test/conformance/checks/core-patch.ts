import { checksOf, deviates, NotOffered } from '../check.ts';
import { expectHeader, expectRefusal, expectStatus } from '../expectations.ts';
import { bytesOf, type Fields, type Subject } from '../subject.ts';

const mismatch = 'If the offsets do not match, the Server MUST respond with the 409 Conflict status …';
const unmodified = '… without modifying the upload resource';
const type =
  'All PATCH requests MUST use Content-Type: application/offset+octet-stream, otherwise the server SHOULD return a 415';
const equal = 'The Upload-Offset header’s value MUST be equal to the current offset of the resource';

/** An upload with ten bytes in it. */
async function begun(server: Subject): Promise<URL> {
  const url = await server.create();
  expectStatus(await server.patch(url, 0, bytesOf(10)), 204);
  return url;
}

/** Requests with such a header are refused, and change nothing. */
async function expectRefused(server: Subject, cases: readonly Fields[], statuses: readonly number[] = []) {
  const url = await server.create();
  for (const fields of cases) {
    const answer = await server.patch(url, 0, bytesOf(10), fields);
    const said = JSON.stringify(fields);
    await server.expectOffset(url, 0, `after PATCH with ${said} (${String(answer.status)}), `);
    if (statuses.length === 0) expectRefusal(answer);
    else if (!statuses.includes(answer.status))
      deviates(`PATCH with ${said} answered ${String(answer.status)}, not ${statuses.join(' or ')}`);
  }
}

export const corePatch = checksOf('core', ['creation'], {
  'patch-accepted': {
    level: 'SHOULD',
    says: 'The Server SHOULD accept PATCH requests against any upload URL',
    run: async (server) => {
      expectStatus(await server.patch(await server.create(), 0, bytesOf(server.bytes)), 200, 204);
    },
  },
  'patch-204': {
    level: 'MUST',
    says: 'The Server MUST acknowledge successful PATCH requests with the 204 No Content status',
    run: async (server) => {
      const url = await server.create(30);
      expectStatus(await server.patch(url, 0, bytesOf(10)), 204);
      expectStatus(await server.patch(url, 10, bytesOf(20)), 204);
    },
  },
  'patch-tells-offset': {
    level: 'MUST',
    says: 'It MUST include the Upload-Offset header containing the new offset',
    run: async (server) => {
      expectHeader(await server.patch(await server.create(), 0, bytesOf(10)), 'Upload-Offset', /^\d+$/);
    },
  },
  'patch-offset-sum': {
    level: 'MUST',
    says: 'The new offset MUST be the sum of the offset before the PATCH request and the number of bytes received',
    run: async (server) => {
      const url = await server.create(60);
      for (const [offset, bytes] of [
        [0, 10],
        [10, 20],
        [30, 30],
      ] as const)
        expectHeader(
          await server.patch(url, offset, bytesOf(bytes)),
          'Upload-Offset',
          String(offset + bytes),
        );
      await server.expectOffset(url, 60);
    },
  },
  'patch-type-wrong-415': {
    level: 'SHOULD',
    says: type,
    run: async (server) => {
      const answer = await server.patch(await server.create(), 0, bytesOf(10), {
        'Content-Type': 'text/plain',
      });
      expectStatus(answer, 415);
    },
  },
  'patch-type-missing-415': {
    level: 'SHOULD',
    says: type,
    run: async (server) => {
      expectStatus(await server.patch(await server.create(), 0, bytesOf(10), { 'Content-Type': null }), 415);
    },
  },
  'patch-type-wrong-unchanged': {
    level: 'SHOULD',
    says: type,
    run: (server) => expectRefused(server, [{ 'Content-Type': 'text/plain' }, { 'Content-Type': null }]),
  },
  'patch-offset-behind-409': {
    level: 'MUST',
    says: mismatch,
    run: async (server) => {
      expectStatus(await server.patch(await begun(server), 9, bytesOf(10, 2)), 409);
    },
  },
  'patch-offset-ahead-409': {
    level: 'MUST',
    says: mismatch,
    run: async (server) => {
      expectStatus(await server.patch(await begun(server), 11, bytesOf(10, 2)), 409);
    },
  },
  'patch-offset-mismatch-unchanged': {
    level: 'MUST',
    says: unmodified,
    run: async (server) => {
      const url = await begun(server);
      for (const offset of [0, 9, 11, server.bytes]) {
        await server.patch(url, offset, bytesOf(10, 2));
        await server.expectOffset(url, 10, `after PATCH at ${String(offset)}, `);
      }
      const all = bytesOf(server.bytes);
      expectStatus(await server.patch(url, 10, all.subarray(10)), 204);
      await server.expectContentIfServed(url, all);
    },
  },
  'patch-offset-mismatch-tells-offset': {
    level: 'EXTRA',
    says: 'The 409 tells the Upload-Offset to go on from',
    run: async (server) => {
      expectHeader(await server.patch(await begun(server), 9, bytesOf(10, 2)), 'Upload-Offset', '10');
    },
  },
  'patch-offset-missing-refused': {
    level: 'MUST',
    says: equal,
    run: (server) => expectRefused(server, [{ 'Upload-Offset': null }]),
  },
  'patch-offset-invalid-refused': {
    level: 'MUST',
    says: `${equal} (… MUST be a non-negative integer)`,
    run: (server) =>
      expectRefused(
        server,
        ['-1', 'a', '1.5', ''].map((value) => ({ 'Upload-Offset': value })),
      ),
  },
  'patch-offset-odd-refused': {
    level: 'EXTRA',
    says: 'An Upload-Offset of 0x0, 0e1, +0 or 0.0, or two of them, is no integer: 400',
    run: (server) =>
      expectRefused(server, [
        ...['0x0', '0e1', '+0', '0.0'].map((value) => ({ 'Upload-Offset': value })),
        { 'Upload-Offset': ['0', '10'] },
      ]),
  },
  'patch-offset-invalid-400': {
    level: 'EXTRA',
    says: 'A missing or invalid Upload-Offset is answered 400',
    run: (server) => expectRefused(server, [{ 'Upload-Offset': null }, { 'Upload-Offset': 'a' }], [400]),
  },
  'patch-unknown-404': {
    level: 'SHOULD',
    says: 'PATCH request against a non-existent resource it SHOULD return a 404 Not Found status',
    run: async (server) => {
      expectStatus(await server.patch(await server.unknown(), 0, bytesOf(1)), 404);
    },
  },
  'patch-empty': {
    level: 'EXTRA',
    says: 'A PATCH without a byte, at the current offset, is answered 204',
    run: async (server) => {
      const url = await begun(server);
      const answer = expectStatus(await server.patch(url, 10, new Uint8Array()), 204);
      expectHeader(answer, 'Upload-Offset', '10');
    },
  },
  'patch-beyond-length-refused': {
    level: 'EXTRA',
    says: 'A body that goes beyond Upload-Length is refused, and the offset never passes the length',
    run: async (server) => {
      const url = await server.create(10);
      const answer = await server.patch(url, 0, bytesOf(20));
      const offset = await server.offsetOf(url);
      if (offset > 10) deviates(`HEAD tells offset ${String(offset)} of an upload of 10 bytes`);
      expectRefusal(answer);
    },
  },
  'patch-chunked': {
    level: 'EXTRA',
    says: 'A body in chunks is taken as one with Content-Length is (411 is legal HTTP)',
    run: async (server) => {
      const url = await server.create();
      const answer = await server.patch(url, 0, bytesOf(server.bytes), {}, { framing: 'chunked' });
      if (answer.status === 411) throw new NotOffered('PATCH in chunks answered 411');
      expectHeader(expectStatus(answer, 204), 'Upload-Offset', String(server.bytes));
      await server.expectOffset(url, server.bytes);
    },
  },
  'patch-chunked-beyond-length-refused': {
    level: 'EXTRA',
    says: 'A body in chunks that goes beyond Upload-Length is refused, and the offset never passes the length',
    run: async (server) => {
      const url = await server.create(10);
      const answer = await server.patch(url, 0, bytesOf(20), {}, { framing: 'chunked' });
      if (answer.status === 411) throw new NotOffered('PATCH in chunks answered 411');
      const offset = await server.offsetOf(url);
      if (offset > 10) deviates(`HEAD tells offset ${String(offset)} of an upload of 10 bytes`);
      expectRefusal(answer);
    },
  },
  content: {
    level: 'EXTRA',
    says: 'GET serves the bytes that were sent, in their places',
    run: async (server) => {
      const all = bytesOf(server.bytes);
      const url = await server.create();
      const third = Math.floor(server.bytes / 3);
      await server.patch(url, 0, all.subarray(0, third));
      await server.patch(url, third, all.subarray(third, third * 2));
      await server.patch(url, third * 2, all.subarray(third * 2));
      await server.expectContent(url, all);
    },
  },
});
