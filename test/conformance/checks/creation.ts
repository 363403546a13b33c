import { advertised, checksOf, deviates, listOf, NotOffered } from '../check.ts';
import { expectHeader, expectNoHeader, expectRefusal, expectStatus } from '../expectations.ts';
import { bytesOf, type Fields, type Subject } from '../subject.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const echo =
  'If an upload contains additional metadata, responses to HEAD requests MUST include the Upload-Metadata header and its value';
const empty =
  'The value MAY be empty. In these cases, the space, which would normally separate the key and the value, MAY be left out';
const form =
  'Upload-Metadata … one or more comma-separated key-value pairs … Base64 encoded. All keys MUST be unique';

/** The pairs in an order of their own: neither their order nor the space behind a key alone means anything. */
const pairsOf = (metadata: string | undefined): string =>
  listOf(metadata)
    .map((pair) => pair.trim())
    .sort()
    .join();

async function expectShown(server: Subject, url: URL, metadata: string): Promise<void> {
  const shown = (await server.head(url)).header('upload-metadata');
  const given = server.metadataOf(metadata);
  if (pairsOf(shown) !== pairsOf(given))
    deviates(`HEAD tells other metadata than was sent: ${shown ?? 'none'}`);
}

async function expectEcho(server: Subject, metadata: string): Promise<void> {
  await expectShown(server, await server.create(1, { 'Upload-Metadata': metadata }), metadata);
}

/** Creations with such headers are refused, each by one of the statuses, or by any 4xx. */
async function expectRefused(server: Subject, cases: readonly Fields[], ...statuses: readonly number[]) {
  for (const fields of cases) {
    const answer = await server.post(fields);
    const isRight =
      statuses.length > 0 ? statuses.includes(answer.status) : answer.status >= 400 && answer.status < 500;
    if (!isRight) deviates(`POST with ${JSON.stringify(fields)} answered ${String(answer.status)}`);
  }
}

export const creation = checksOf('creation', ['creation'], {
  offered: {
    level: 'SHOULD',
    says: 'The Client and the Server SHOULD implement the upload creation extension',
    needs: [],
    run: async (server) => {
      if (!(await server.discover()).extensions.has('creation')) deviates('OPTIONS does not name creation');
    },
  },
  advertised: advertised('creation', {
    says: 'If the Server supports this extension, it MUST add creation to the Tus-Extension header',
    needs: [],
    asked: 'POST',
    status: 201,
    ask: (server) => server.post({ 'Upload-Length': '1' }),
  }),
  'post-201': {
    level: 'MUST',
    says: 'The Server MUST acknowledge a successful upload creation with the 201 Created status',
    run: async (server) => {
      expectStatus(await server.post({ 'Upload-Length': '100' }), 201);
    },
  },
  'post-location': {
    level: 'MUST',
    says: 'The Server MUST set the Location header to the URL of the created resource (… absolute or relative)',
    run: async (server) => {
      const url = server.locationOf(await server.post({ 'Upload-Length': '100' }));
      expectStatus(await server.head(url), 200, 204);
    },
  },
  'offset-zero': {
    level: 'MUST',
    says: 'The new resource has an implicit offset of 0',
    run: async (server) => server.expectOffset(await server.create(), 0),
  },
  'location-new': {
    level: 'EXTRA',
    says: 'Each creation makes an upload of its own',
    run: async (server) => {
      const [one, other] = [await server.create(), await server.create()];
      if (one.href === other.href) deviates('two creations got one Location');
    },
  },
  'length-zero': {
    level: 'MUST',
    says: 'Upload-Length … The value MUST be a non-negative integer (0 is one)',
    run: async (server) => {
      const answer = await server.head(await server.create(0));
      expectHeader(answer, 'Upload-Offset', '0');
      expectHeader(answer, 'Upload-Length', '0');
    },
  },
  'length-invalid-refused': {
    level: 'MUST',
    says: 'Upload-Length … The value MUST be a non-negative integer',
    run: (server) =>
      expectRefused(
        server,
        ['-1', 'abc', '1.5'].map((value) => ({ 'Upload-Length': value })),
      ),
  },
  'length-invalid-400': {
    level: 'EXTRA',
    says: 'An Upload-Length that is no integer, of too many digits, or there twice, is answered 400',
    run: (server) =>
      expectRefused(
        server,
        [...['-1', 'abc', '0x10', '1e3', '+5', ''], ['5', '6']].map((value) => ({ 'Upload-Length': value })),
        400,
      ),
  },
  'length-huge-refused': {
    level: 'EXTRA',
    says: 'An Upload-Length of 40 digits is refused by 400 or 413',
    run: (server) => expectRefused(server, [{ 'Upload-Length': '9'.repeat(40) }], 400, 413),
  },
  'length-missing-400': {
    level: 'EXTRA',
    says: 'A creation with neither Upload-Length nor Upload-Defer-Length is answered 400',
    run: (server) => expectRefused(server, [{}], 400),
  },
  'length-and-defer-400': {
    level: 'EXTRA',
    says: 'A creation with both Upload-Length and Upload-Defer-Length is answered 400',
    run: (server) => expectRefused(server, [{ 'Upload-Length': '5', 'Upload-Defer-Length': '1' }], 400),
  },
  'length-known-not-deferred': {
    level: 'MUST',
    says: 'If the length of an upload is not deferred, this header [Upload-Defer-Length] MUST be omitted',
    run: async (server) => expectNoHeader(await server.head(await server.create()), 'Upload-Defer-Length'),
  },
  'max-size-413': {
    level: 'MUST',
    says: 'If the length of the upload exceeds the maximum … the Server MUST respond with the 413 … status',
    run: async (server) => {
      const { maxSize } = server.offer;
      if (maxSize === undefined) throw new NotOffered('no Tus-Max-Size');
      const answer = await server.post({ 'Upload-Length': String(maxSize + 1n) });
      expectStatus(answer, 413);
    },
  },
  'metadata-echo': {
    level: 'MUST',
    says: echo,
    run: (server) =>
      expectEcho(server, `filename ${base64('world_domination_plan.pdf')},note ${base64('é ü')}`),
  },
  'metadata-echo-after-patch': {
    level: 'MUST',
    says: echo,
    run: async (server) => {
      const metadata = `filename ${base64('a.txt')}`;
      const url = await server.create(10, { 'Upload-Metadata': metadata });
      await server.patch(url, 0, bytesOf(10));
      await expectShown(server, url, metadata);
    },
  },
  'metadata-echo-binary': {
    level: 'MUST',
    says: `${echo} (metadata can contain arbitrary binary values)`,
    run: (server) => expectEcho(server, `raw ${bytesOf(200).toString('base64')}`),
  },
  'metadata-key-alone': {
    level: 'MAY',
    says: empty,
    run: (server) => expectEcho(server, `filename ${base64('a.txt')},is_confidential`),
  },
  'metadata-none': {
    level: 'EXTRA',
    says: 'An upload without metadata shows none',
    run: async (server) => {
      if (server.metadataOf('') !== '') throw new NotOffered('this server was given metadata for all');
      expectNoHeader(await server.head(await server.create()), 'Upload-Metadata');
    },
  },
  'metadata-empty-value': {
    level: 'MAY',
    says: 'The value MAY be empty (its space still there)',
    run: (server) => expectEcho(server, `is_empty ,filename ${base64('a.txt')}`),
  },
  'metadata-echo-verbatim': {
    level: 'EXTRA',
    says: 'HEAD tells the very Upload-Metadata that the client sent, its pairs in their order',
    run: async (server) => {
      const keys = ['k', 'c', 'j', 'a', 'h', 'b', 'g', 'd'];
      const metadata = `alone,${keys.map((key) => `${key} ${base64(key)}`).join()}`;
      const url = await server.create(1, { 'Upload-Metadata': metadata });
      const shown = (await server.head(url)).header('upload-metadata');
      if (shown !== server.metadataOf(metadata)) deviates(`HEAD tells it otherwise: ${shown ?? 'none'}`);
    },
  },
  'metadata-empty-header': {
    level: 'EXTRA',
    says: 'An empty Upload-Metadata, which some clients send when there is none, is taken as none',
    run: async (server) => {
      expectStatus(await server.post({ 'Upload-Length': '1', 'Upload-Metadata': '' }), 201);
    },
  },
  'metadata-invalid-400': {
    level: 'EXTRA',
    says: `${form}: what is not is answered 400`,
    run: (server) =>
      expectRefused(
        server,
        [
          `filename ${base64('a')},filename ${base64('b')}`,
          'filename ***',
          'a YQ==,,b YQ==',
          'a YQ== YQ==',
        ].map((metadata) => ({ 'Upload-Length': '1', 'Upload-Metadata': metadata })),
        400,
      ),
  },
  'metadata-no-smuggling': {
    level: 'SHOULD',
    says: 'Servers SHOULD carefully validate metadata values or sanitize them … to avoid header smuggling',
    run: async (server) => {
      const value = base64('a\r\nX-Smuggled: 1\r\n\r\n');
      const names = ['filename', 'filetype', 'name', 'type', 'contentType'];
      const metadata = names.map((name) => `${name} ${value}`).join();
      const answer = await server.post({ 'Upload-Length': '1', 'Upload-Metadata': metadata });
      if (answer.status !== 201) {
        expectRefusal(answer);
        return;
      }
      const url = server.locationOf(answer);
      await server.patch(url, 0, bytesOf(1));
      expectNoHeader(await server.head(url), 'X-Smuggled');
      expectNoHeader(await server.ask('GET', url), 'X-Smuggled');
    },
  },
});
