import { setTimeout as sleep } from 'node:timers/promises';
import { advertised, checksOf, deviates, listOf, NotOffered } from '../check.ts';
import { computable, uploadChecksum } from '../digests.ts';
import { expectHeader, expectNoHeader, expectRefusal, expectStatus } from '../expectations.ts';
import { bytesOf, PATCH_TYPE, type Subject } from '../subject.ts';

const verify =
  'the Server MUST verify the uploaded chunk against the provided checksum using the specified algorithm';
const statuses = 'Depending on the result the Server MAY respond with one of the following status code';
const discarded =
  'In the first two cases the uploaded chunk MUST be discarded, and the upload and its offset MUST NOT be updated';

const HEAD_ALONE_MS = 200;

const body = bytesOf(1000);
const other = bytesOf(1000, 2);
const of = (algorithm: string, bytes: Uint8Array) => ({
  'Upload-Checksum': uploadChecksum(algorithm, bytes),
});

/** The advertised algorithms that this runner can compute. */
function algorithmsOf(server: Subject): string[] {
  const all = server.offer.algorithms.filter((algorithm) => computable(algorithm));
  if (all.length === 0) throw new NotOffered('no algorithm that is known here');
  return all;
}

/** The offset stays, and the right bytes still go where the wrong ones would have gone. */
async function expectDiscarded(server: Subject, checksum: string): Promise<void> {
  const url = await server.create(2000);
  expectStatus(await server.patch(url, 0, body), 204);
  const answer = await server.patch(url, 1000, body, { 'Upload-Checksum': checksum });
  if (answer.status < 300) deviates(`PATCH with checksum ${checksum} answered ${String(answer.status)}`);
  await server.expectOffset(url, 1000, `after a PATCH that answered ${String(answer.status)}, `);
  expectStatus(await server.patch(url, 1000, other), 204);
  await server.expectContentIfServed(url, Buffer.concat([body, other]));
}

export const checksum = checksOf('checksum', ['creation', 'checksum'], {
  advertised: advertised('checksum', {
    says: 'If supported, the Server MUST add checksum to the Tus-Extension header',
    needs: ['creation'],
    asked: 'PATCH with a wrong checksum',
    status: 460,
    ask: async (server) => server.patch(await server.create(1000), 0, body, of('sha1', other)),
  }),
  'unoffered-not-ignored': {
    level: 'EXTRA',
    says: 'A server without checksum does not take a PATCH with Upload-Checksum as if it had verified it',
    needs: ['creation'],
    run: async (server) => {
      if (server.offers('checksum')) return;
      const url = await server.create(1000);
      const answer = await server.patch(url, 0, body, of('sha1', other));
      if (answer.status < 300)
        deviates(`PATCH with a wrong checksum answered ${String(answer.status)}: Upload-Checksum is ignored`);
      await server.expectOffset(url, 0);
    },
  },
  'algorithms-told': {
    level: 'MUST',
    says: 'The Tus-Checksum-Algorithm header MUST be included in the response to an OPTIONS request',
    run: async (server) => {
      expectHeader(await server.options(), 'Tus-Checksum-Algorithm', /./);
    },
  },
  'algorithms-list': {
    level: 'MUST',
    says: 'The Tus-Checksum-Algorithm response header MUST be a comma-separated list of the checksum algorithms',
    run: async (server) => {
      expectHeader(await server.options(), 'Tus-Checksum-Algorithm', /^[^\s,]+(\s*,\s*[^\s,]+)*$/);
    },
  },
  'algorithms-names': {
    level: 'MUST',
    says: 'The names … MUST only consist of ASCII characters with the modification that uppercase characters are excluded',
    run: async (server) => {
      const names = listOf(expectHeader(await server.options(), 'Tus-Checksum-Algorithm', /./));
      for (const name of names)
        if (!/^[!-@[-~]+$/.test(name)) deviates(`OPTIONS names the algorithm ${JSON.stringify(name)}`);
    },
  },
  'sha1-offered': {
    level: 'MUST',
    says: 'The Server MUST support at least the SHA1 checksum algorithm identified by sha1',
    run: async (server) => {
      const { algorithms } = await server.discover();
      if (!algorithms.includes('sha1')) deviates(`OPTIONS names ${algorithms.join() || 'no algorithm'}`);
    },
  },
  'sha1-match': {
    level: 'MUST',
    says: 'The Server MUST support at least the SHA1 checksum algorithm identified by sha1',
    run: async (server) => {
      const answer = await server.patch(await server.create(2000), 0, body, of('sha1', body));
      expectHeader(expectStatus(answer, 204), 'Upload-Offset', '1000');
    },
  },
  'each-algorithm-matches': {
    level: 'MUST',
    says: verify,
    run: async (server) => {
      for (const algorithm of algorithmsOf(server)) {
        const answer = await server.patch(await server.create(1000), 0, body, of(algorithm, body));
        if (answer.status !== 204)
          deviates(`PATCH with a right ${algorithm} answered ${String(answer.status)}`);
      }
    },
  },
  'each-algorithm-mismatches': {
    level: 'MUST',
    says: verify,
    run: async (server) => {
      for (const algorithm of algorithmsOf(server)) {
        const url = await server.create(1000);
        const answer = await server.patch(url, 0, body, of(algorithm, other));
        if (answer.status < 300)
          deviates(`PATCH with a wrong ${algorithm} answered ${String(answer.status)}`);
        await server.expectOffset(url, 0, `after a wrong ${algorithm}, `);
      }
    },
  },
  'match-204': {
    level: 'MAY',
    says: `${statuses}: 204 No Content if the checksums match`,
    run: async (server) => {
      expectStatus(await server.patch(await server.create(1000), 0, body, of('sha1', body)), 204);
    },
  },
  'mismatch-460': {
    level: 'MAY',
    says: `${statuses}: 460 Checksum Mismatch if the checksums mismatch`,
    run: async (server) => {
      expectStatus(await server.patch(await server.create(1000), 0, body, of('sha1', other)), 460);
    },
  },
  'unsupported-400': {
    level: 'MAY',
    says: `${statuses}: 400 Bad Request if the checksum algorithm is not supported by the server`,
    run: async (server) => {
      const headers = { 'Upload-Checksum': 'no-such-algorithm AAAA' };
      expectStatus(await server.patch(await server.create(1000), 0, body, headers), 400);
    },
  },
  'mismatch-discarded': {
    level: 'MUST',
    says: discarded,
    run: (server) => expectDiscarded(server, uploadChecksum('sha1', other)),
  },
  'unsupported-discarded': {
    level: 'MUST',
    says: discarded,
    run: (server) => expectDiscarded(server, 'no-such-algorithm AAAA'),
  },
  'malformed-refused': {
    level: 'EXTRA',
    says: 'An Upload-Checksum that is not an algorithm, a space and Base64 is refused, and nothing stored',
    run: async (server) => {
      const url = await server.create(1000);
      for (const value of [
        'sha1',
        'sha1 ',
        'sha1 ***',
        `SHA1 ${uploadChecksum('sha1', body).slice(5)}`,
        'sha1 AAAA',
      ]) {
        const answer = await server.patch(url, 0, body, { 'Upload-Checksum': value });
        await server.expectOffset(url, 0, `after Upload-Checksum ${value} (${String(answer.status)}), `);
        expectRefusal(answer);
      }
    },
  },
  'with-creation-mismatch-discarded': {
    level: 'EXTRA',
    says: 'A checksum on creation-with-upload is verified too, or refused',
    needs: ['creation', 'checksum', 'creation-with-upload'],
    run: async (server) => {
      const headers = { 'Upload-Length': '1000', 'Content-Type': PATCH_TYPE, ...of('sha1', other) };
      const answer = await server.post(headers, { body });
      if (answer.status === 201)
        await server.expectOffset(server.locationOf(answer), 0, 'after a wrong checksum, ');
      else expectRefusal(answer);
    },
  },
  'trailer-advertised': advertised('checksum-trailer', {
    says: 'If the Server can handle trailers, this behavior MUST be announced by adding checksum-trailer',
    asked: 'PATCH with a wrong trailer',
    status: 460,
    ask: (server) => withTrailer(server, other),
  }),
  'trailer-match': {
    level: 'MUST',
    says: 'If the hash cannot be calculated at the beginning of the upload, it MAY be included as a trailer',
    needs: ['creation', 'checksum', 'checksum-trailer'],
    run: async (server) => {
      expectHeader(expectStatus(await withTrailer(server, body), 204), 'Upload-Offset', '1000');
    },
  },
  'trailer-mismatch': {
    level: 'MUST',
    says: verify,
    needs: ['creation', 'checksum', 'checksum-trailer'],
    run: async (server) => {
      const answer = await withTrailer(server, other);
      if (answer.status < 300) deviates(`PATCH with a wrong trailer answered ${String(answer.status)}`);
    },
  },
  'trailer-unoffered-refused': {
    level: 'EXTRA',
    says: 'A server without checksum-trailer refuses a PATCH that announces one: it could not verify it',
    run: async (server) => {
      if (server.offers('checksum-trailer')) return;
      const url = await server.create(1000);
      const patch = await server.openPatch(url, {
        'Transfer-Encoding': 'chunked',
        Trailer: 'Upload-Checksum',
      });
      // The head alone first: what is refused at once is refused for it.
      await sleep(HEAD_ALONE_MS);
      patch.write(
        Buffer.from(`5\r\nhello\r\n0\r\nUpload-Checksum: ${uploadChecksum('sha1', other)}\r\n\r\n`),
      );
      const answer = await patch.answer();
      await server.expectOffset(url, 0, `after a wrong trailer (${String(answer.status)}), `);
      expectRefusal(answer);
    },
  },
  'not-told-elsewhere': {
    level: 'EXTRA',
    says: 'A server without checksum names no algorithms',
    needs: [],
    run: async (server) => {
      if (!server.offers('checksum')) expectNoHeader(await server.options(), 'Tus-Checksum-Algorithm');
    },
  },
});

async function withTrailer(server: Subject, checked: Uint8Array) {
  const trailers = [['Upload-Checksum', uploadChecksum('sha1', checked)]] as const;
  return server.patch(await server.create(1000), 0, body, {}, { framing: 'chunked', trailers });
}
