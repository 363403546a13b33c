import { advertised, checksOf, deviates, NotOffered } from '../check.ts';
import { expectHeader, expectNoHeader, expectStatus } from '../expectations.ts';
import { bytesOf, type Fields, type Subject } from '../subject.ts';

const parts = [bytesOf(500), bytesOf(700, 2)] as const;
const whole = Buffer.concat([...parts]);
const partial = { 'Upload-Concat': 'partial' };
const finalOf = (urls: readonly URL[]): string =>
  `final;${urls.map((url) => url.pathname + url.search).join(' ')}`;
const absoluteOf = (urls: readonly URL[]): string => `final;${urls.map((url) => url.href).join(' ')}`;

const echo =
  'Response to HEAD request against partial or final upload MUST include the Upload-Concat header and its value as received';
const equal =
  'After successful concatenation, the Upload-Offset and Upload-Length MUST be set and their values MUST be equal';
const order = 'The partial uploads MUST be concatenated as per the order specified in the list';
const forbidden =
  'The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload URL …';
const untouched = '… and MUST NOT modify the final or its partial uploads';
const form = 'The partial uploads URLs MAY be absolute or relative';
const reuse = 'They MAY however be used multiple times to form a final resource';

async function partials(server: Subject): Promise<[URL, URL]> {
  return [await server.upload(parts[0], partial), await server.upload(parts[1], partial)];
}

async function concatenate(server: Subject, urls: readonly URL[], headers: Fields = {}): Promise<URL> {
  return server.locationOf(await server.post({ 'Upload-Concat': finalOf(urls), ...headers }));
}

/** HEAD tells the list of partial uploads as it was sent: the URLs in the form that the client chose. */
async function expectConcat(server: Subject, final: URL, value: string): Promise<void> {
  const told = (await server.head(final)).header('upload-concat');
  if (told === undefined) deviates('HEAD tells no Upload-Concat');
  if (told !== value) deviates(`HEAD tells other URLs than were sent: ${told}`);
}

async function finished(server: Subject): Promise<{ final: URL; urls: readonly URL[] }> {
  const urls = await partials(server);
  const final = await concatenate(server, urls);
  await server.settled(final, whole.length);
  return { final, urls };
}

export const concatenation = checksOf('concatenation', ['creation', 'concatenation'], {
  advertised: {
    level: 'MUST',
    says: 'If the Server supports this extension, it MUST add concatenation to the Tus-Extension header',
    needs: ['creation'],
    run: async (server) => {
      if (server.offers('concatenation')) return;
      const answer = await server.post({ 'Upload-Length': '1', ...partial });
      if (answer.status === 201) {
        const told = (await server.head(server.locationOf(answer))).header('upload-concat');
        if (told !== undefined)
          deviates(`HEAD tells Upload-Concat ${told}, though OPTIONS does not name concatenation`);
      }
      throw new NotOffered(`POST with Upload-Concat answered ${String(answer.status)}`);
    },
  },
  'unoffered-not-ignored': {
    level: 'EXTRA',
    says: 'A server without concatenation does not take a partial upload as if it were an ordinary one',
    needs: ['creation'],
    run: async (server) => {
      if (server.offers('concatenation')) return;
      const answer = await server.post({ 'Upload-Length': '1', ...partial });
      if (answer.status === 201) deviates('POST with Upload-Concat answered 201: Upload-Concat is ignored');
    },
  },
  'partial-201': {
    level: 'MUST',
    says: 'A partial upload … is constructed by including the Upload-Concat: partial header while creating a new upload',
    run: async (server) => {
      expectStatus(await server.post({ 'Upload-Length': '5', ...partial }), 201);
    },
  },
  'partial-head-concat': {
    level: 'MUST',
    says: echo,
    run: async (server) => {
      expectHeader(await server.head(await server.create(5, partial)), 'Upload-Concat', 'partial');
    },
  },
  'partial-head-offset': {
    level: 'MUST',
    says: 'The response to a HEAD request for a partial upload MUST contain the Upload-Offset header',
    run: async (server) => {
      const url = await server.create(5, partial);
      expectHeader(await server.head(url), 'Upload-Offset', '0');
      await server.patch(url, 0, bytesOf(5));
      expectHeader(await server.head(url), 'Upload-Offset', '5');
    },
  },
  'final-201': {
    level: 'MUST',
    says: 'Multiple partial uploads are concatenated into a final upload (… acknowledge … with the 201 Created status)',
    run: async (server) => {
      expectStatus(await server.post({ 'Upload-Concat': finalOf(await partials(server)) }), 201);
    },
  },
  'final-head-concat': {
    level: 'MUST',
    says: echo,
    run: async (server) => {
      const { final, urls } = await finished(server);
      await expectConcat(server, final, finalOf(urls));
    },
  },
  'final-head-concat-absolute': {
    level: 'MUST',
    says: `${echo} (with absolute URLs)`,
    run: async (server) => {
      const value = absoluteOf(await partials(server));
      const final = server.locationOf(await server.post({ 'Upload-Concat': value }));
      await expectConcat(server, final, value);
    },
  },
  'final-length-sum': {
    level: 'MUST',
    says: 'The length of the final upload MUST be the sum of the length of all partial uploads',
    run: async (server) => {
      const { final } = await finished(server);
      expectHeader(await server.head(final), 'Upload-Length', String(whole.length));
    },
  },
  'final-offset-equals-length': {
    level: 'MUST',
    says: equal,
    run: async (server) => {
      const { final } = await finished(server);
      const answer = await server.head(final);
      expectHeader(answer, 'Upload-Offset', expectHeader(answer, 'Upload-Length', /^\d+$/));
    },
  },
  'final-order': {
    level: 'MUST',
    says: order,
    run: async (server) => {
      const { final } = await finished(server);
      await server.expectContent(final, whole);
      const [one, other] = await partials(server);
      const turned = await concatenate(server, [other, one]);
      await server.settled(turned, whole.length);
      await server.expectContent(turned, Buffer.concat([parts[1], parts[0]]));
    },
  },
  'final-relative-urls': {
    level: 'MAY',
    says: form,
    run: async (server) => {
      await server.expectOffset(await concatenate(server, await partials(server)), whole.length);
    },
  },
  'final-absolute-urls': {
    level: 'MAY',
    says: form,
    run: async (server) => {
      const value = absoluteOf(await partials(server));
      const final = server.locationOf(await server.post({ 'Upload-Concat': value }));
      const offset = await server.settled(final, whole.length);
      if (offset !== whole.length) deviates(`HEAD of the final upload tells offset ${String(offset)}`);
    },
  },
  'patch-final-403': {
    level: 'MUST',
    says: forbidden,
    run: async (server) => {
      const { final } = await finished(server);
      expectStatus(await server.patch(final, whole.length, bytesOf(10)), 403);
      expectStatus(await server.patch(final, 0, bytesOf(10)), 403);
    },
  },
  'patch-final-unchanged': {
    level: 'MUST',
    says: untouched,
    run: async (server) => {
      const { final, urls } = await finished(server);
      await server.patch(final, whole.length, bytesOf(10, 3));
      await server.patch(final, 0, bytesOf(10, 3));
      await server.expectOffset(final, whole.length, 'after PATCH of the final upload, ');
      for (const [index, url] of urls.entries()) {
        const answer = await server.head(url);
        // They MAY be deleted after concatenation.
        if (answer.status < 400) expectHeader(answer, 'Upload-Offset', String(parts[index]?.length));
      }
      await server.expectContentIfServed(final, whole);
    },
  },
  'partials-used-again': {
    level: 'MAY',
    says: reuse,
    run: async (server) => {
      const { urls } = await finished(server);
      const answer = await server.post({ 'Upload-Concat': finalOf(urls) });
      if (answer.status >= 400)
        throw new NotOffered(`a second final upload answered ${String(answer.status)}`);
      await server.expectOffset(server.locationOf(answer), whole.length);
    },
  },
  'partials-metadata-not-transferred': {
    level: 'MUST',
    says: 'the partial uploads’ metadata SHALL NOT be transferred to the new final upload',
    run: async (server) => {
      const headers = { ...partial, 'Upload-Metadata': 'part b25l' };
      const url = await server.upload(parts[0], headers);
      const told = (await server.head(await concatenate(server, [url]))).header('upload-metadata');
      if (told?.includes('part')) deviates(`HEAD of the final upload tells Upload-Metadata ${told}`);
    },
  },
  'final-metadata': {
    level: 'SHOULD',
    says: 'All metadata SHOULD be included in the concatenation request using the Upload-Metadata header',
    run: async (server) => {
      const metadata = 'filename YS50eHQ=';
      const final = await concatenate(server, await partials(server), { 'Upload-Metadata': metadata });
      expectHeader(await server.head(final), 'Upload-Metadata', server.metadataOf(metadata));
    },
  },
  'final-with-length-refused': {
    level: 'EXTRA',
    says: 'A final upload with an Upload-Length, which the Client MUST NOT include, is answered 400',
    run: async (server) => {
      const headers = { 'Upload-Concat': finalOf(await partials(server)), 'Upload-Length': '5' };
      expectStatus(await server.post(headers), 400);
    },
  },
  'final-of-unknown-refused': {
    level: 'EXTRA',
    says: 'A final upload of an upload that is not there is answered 400 or 404',
    run: async (server) => {
      const value = finalOf([await server.unknown()]);
      expectStatus(await server.post({ 'Upload-Concat': value }), 400, 404);
    },
  },
  'final-of-others-refused': {
    level: 'EXTRA',
    says: 'A final upload of one that is not partial is answered 400',
    run: async (server) => {
      expectStatus(await server.post({ 'Upload-Concat': finalOf([await server.upload(bytesOf(5))]) }), 400);
    },
  },
  'value-invalid-400': {
    level: 'EXTRA',
    says: 'Any other value of Upload-Concat is answered 400',
    run: async (server) => {
      for (const value of ['whole', 'final', 'final;']) {
        const answer = await server.post({ 'Upload-Length': '5', 'Upload-Concat': value });
        if (answer.status !== 400)
          deviates(`POST with Upload-Concat ${value} answered ${String(answer.status)}`);
      }
    },
  },
  'unfinished-advertised': advertised('concatenation-unfinished', {
    says: 'while the partial uploads are still in progress. This feature MUST be explicitly announced by … concatenation-unfinished',
    asked: 'a final upload of an unfinished one',
    status: 201,
    ask: async (server) => (await unfinished(server)).answer,
  }),
  'unfinished-201': {
    level: 'MUST',
    says: 'The Client MAY send the concatenation request while the partial uploads are still in progress',
    needs: ['creation', 'concatenation', 'concatenation-unfinished'],
    run: async (server) => {
      expectStatus((await unfinished(server)).answer, 201);
    },
  },
  'unfinished-without-offset': {
    level: 'SHOULD',
    says: 'HEAD … for a final upload SHOULD NOT contain the Upload-Offset header unless the concatenation has been … finished',
    needs: ['creation', 'concatenation', 'concatenation-unfinished'],
    run: async (server) => {
      const { answer } = await unfinished(server);
      expectNoHeader(expectStatus(await server.head(server.locationOf(answer)), 200, 204), 'Upload-Offset');
    },
  },
  'unfinished-length': {
    level: 'MUST',
    says: 'Upload-Length … MUST be included if the length of the final resource can be calculated at the time of the request',
    needs: ['creation', 'concatenation', 'concatenation-unfinished'],
    run: async (server) => {
      const { answer } = await unfinished(server);
      expectHeader(await server.head(server.locationOf(answer)), 'Upload-Length', String(whole.length));
    },
  },
  'unfinished-patch-403': {
    level: 'MUST',
    says: forbidden,
    needs: ['creation', 'concatenation', 'concatenation-unfinished'],
    run: async (server) => {
      const { answer } = await unfinished(server);
      expectStatus(await server.patch(server.locationOf(answer), 0, bytesOf(10)), 403);
    },
  },
  'unfinished-completes': {
    level: 'MUST',
    says: equal,
    needs: ['creation', 'concatenation', 'concatenation-unfinished'],
    run: async (server) => {
      const { answer, second } = await unfinished(server);
      const final = server.locationOf(answer);
      expectStatus(await server.patch(second, 100, parts[1].subarray(100)), 204);
      const offset = await server.finalOffset(final);
      if (offset !== String(whole.length))
        deviates(`HEAD of the final upload tells offset ${String(offset)}`);
      expectHeader(await server.head(final), 'Upload-Length', String(whole.length));
      await server.expectContentIfServed(final, whole);
    },
  },
});

/** A final upload of one partial that is whole and one that is not. */
async function unfinished(server: Subject) {
  const first = await server.upload(parts[0], partial);
  const second = await server.create(parts[1].length, partial);
  expectStatus(await server.patch(second, 0, parts[1].subarray(0, 100)), 204);
  return { second, answer: await server.post({ 'Upload-Concat': finalOf([first, second]) }) };
}
