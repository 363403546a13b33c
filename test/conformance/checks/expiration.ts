import { setTimeout as sleep } from 'node:timers/promises';
import { checksOf, deviates, NotOffered } from '../check.ts';
import { expectHeader, expectStatus } from '../expectations.ts';
import { bytesOf, type Subject } from '../subject.ts';

/** How long a check may wait for an upload to expire. */
const EXPIRY_WAIT_MS = 15_000;
/** … and to be removed when it has. */
const REMOVE_WAIT_MS = 3000;
const DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/** Upload-Expires of an unfinished upload; NotOffered where uploads do not expire. */
async function expiryOf(server: Subject): Promise<{ url: URL; expires: string }> {
  const url = await server.create();
  const expires = (await server.patch(url, 0, bytesOf(10))).header('upload-expires');
  if (expires === undefined)
    throw new NotOffered('no answer to PATCH has Upload-Expires: uploads do not expire');
  return { url, expires };
}

/** An upload that has expired and been removed. */
async function expired(server: Subject): Promise<URL> {
  const { url, expires } = await expiryOf(server);
  const ms = Date.parse(expires) - Date.now();
  if (!(ms <= EXPIRY_WAIT_MS)) throw new NotOffered(`uploads expire too late to wait for (${expires})`);
  // Dates have whole seconds.
  await sleep(Math.max(0, ms) + 1000);
  const deadline = performance.now() + REMOVE_WAIT_MS;
  while ((await server.head(url)).status < 300) {
    if (performance.now() > deadline) throw new NotOffered('an expired upload is not removed at once');
    await sleep(200);
  }
  return url;
}

const gone =
  'If a Client does attempt to resume an upload which has since been removed …, the Server SHOULD respond with … 404 … or 410';

export const expiration = checksOf('expiration', ['creation', 'expiration'], {
  advertised: {
    level: 'MUST',
    says: 'In order to indicate this behavior to the Client, the Server MUST add expiration to the Tus-Extension header',
    needs: ['creation'],
    run: async (server) => {
      if (server.offers('expiration')) return;
      await expiryOf(server);
      deviates('PATCH answered Upload-Expires, though OPTIONS does not name expiration');
    },
  },
  'patch-tells-expiry': {
    level: 'MUST',
    says: 'This header MUST be included in every PATCH response if the upload is going to expire',
    run: async (server) => {
      const { url } = await expiryOf(server);
      for (const offset of [10, 20])
        expectHeader(await server.patch(url, offset, bytesOf(10)), 'Upload-Expires', /./);
    },
  },
  'post-tells-expiry': {
    level: 'MUST',
    says: 'If the expiration is known at the creation, the Upload-Expires header MUST be included in the response to … POST',
    run: async (server) => {
      await expiryOf(server);
      const answer = expectStatus(await server.post({ 'Upload-Length': '10' }), 201);
      if (answer.header('upload-expires') === undefined)
        throw new NotOffered('POST has no Upload-Expires: perhaps not known at the creation');
    },
  },
  'date-format': {
    level: 'MUST',
    says: 'The value of the Upload-Expires header MUST be in RFC 7231 datetime format',
    run: async (server) => {
      const { expires } = await expiryOf(server);
      if (!DATE.test(expires) || new Date(expires).toUTCString() !== expires)
        deviates(`PATCH answered Upload-Expires ${JSON.stringify(expires)}`);
    },
  },
  'date-in-future': {
    level: 'EXTRA',
    says: 'Upload-Expires of an upload that was just written to has still to come',
    run: async (server) => {
      const { expires } = await expiryOf(server);
      if (!(Date.parse(expires) >= Date.now() - 1000)) deviates(`Upload-Expires ${expires} does not come`);
    },
  },
  'expired-404-410': {
    level: 'SHOULD',
    says: gone,
    run: async (server) => {
      const url = await expired(server);
      expectStatus(await server.patch(url, 10, bytesOf(10)), 404, 410);
    },
  },
  'expired-410': {
    level: 'EXTRA',
    says: 'The latter one [410] SHOULD be used if the Server is keeping track of expired uploads',
    run: async (server) => {
      const url = await expired(server);
      expectStatus(await server.head(url), 410);
    },
  },
});
