import type { Answer } from '../answer.ts';
import { type Check, checksOf, deviates } from '../check.ts';
import { expectHeader, expectStatus } from '../expectations.ts';
import { bytesOf, type Fields, NO_VERSION, PATCH_TYPE, type Subject } from '../subject.ts';

const resumable =
  'The Tus-Resumable header MUST be included in every request and response except for OPTIONS';
const unsupported =
  'If the version specified by the Client is not supported by the Server, it MUST respond with the 412 … status';
const told = '… and MUST include the Tus-Version header into the response';
const unprocessed = 'In addition, the Server MUST NOT process the request';

function expectResumable(server: Subject, answer: Answer): void {
  const version = expectHeader(answer, 'Tus-Resumable', /^\d+\.\d+\.\d+$/);
  if (!server.offer.versions.includes(version))
    deviates(`${answer.asked} answered Tus-Resumable ${version}, which Tus-Version does not name`);
}

const otherVersion = { 'Tus-Resumable': NO_VERSION };
const ofVersion = {
  HEAD: (server: Subject, url: URL, fields: Fields) => server.head(url, fields),
  POST: (server: Subject, _url: URL, fields: Fields) => server.post({ 'Upload-Length': '1', ...fields }),
  PATCH: (server: Subject, url: URL, fields: Fields) => server.patch(url, 0, bytesOf(10), fields),
};

const refused = (ask: (server: Subject) => Promise<Answer>): Pick<Check, 'level' | 'says' | 'run'> => ({
  level: 'MUST',
  says: unsupported,
  run: async (server) => {
    expectStatus(await ask(server), 412);
  },
});

/** Ten bytes in a request that is a PATCH by X-HTTP-Method-Override. */
function overridden(server: Subject, method: string, url: URL): Promise<Answer> {
  const headers = { 'X-HTTP-Method-Override': 'PATCH', 'Content-Type': PATCH_TYPE, 'Upload-Offset': '0' };
  return server.ask(method, url, { headers, body: bytesOf(10) });
}

export const coreHeaders = checksOf('core', ['creation'], {
  'tus-resumable-on-head': {
    level: 'MUST',
    says: resumable,
    run: async (server) => expectResumable(server, await server.head(await server.create())),
  },
  'tus-resumable-on-post': {
    level: 'MUST',
    says: resumable,
    run: async (server) => expectResumable(server, await server.post({ 'Upload-Length': '1' })),
  },
  'tus-resumable-on-patch': {
    level: 'MUST',
    says: resumable,
    run: async (server) => expectResumable(server, await server.patch(await server.create(), 0, bytesOf(10))),
  },
  'tus-resumable-on-delete': {
    level: 'MUST',
    says: resumable,
    needs: ['creation', 'termination'],
    run: async (server) => expectResumable(server, await server.remove(await server.create())),
  },
  'tus-resumable-on-errors': {
    level: 'MUST',
    says: resumable,
    run: async (server) => {
      const url = await server.create();
      expectResumable(server, await server.patch(url, 1, bytesOf(10)));
      expectResumable(server, await server.patch(url, 0, bytesOf(10), { 'Content-Type': 'text/plain' }));
      expectResumable(server, await server.head(await server.unknown()));
      expectResumable(server, await server.head(url, otherVersion));
    },
  },
  'version-unsupported-head-412': refused(async (server) =>
    ofVersion.HEAD(server, await server.create(), otherVersion),
  ),
  'version-unsupported-post-412': refused((server) => ofVersion.POST(server, server.url, otherVersion)),
  'version-unsupported-patch-412': refused(async (server) =>
    ofVersion.PATCH(server, await server.create(), otherVersion),
  ),
  'version-unsupported-tells-versions': {
    level: 'MUST',
    says: told,
    run: async (server) => {
      const url = await server.create();
      for (const ask of Object.values(ofVersion))
        expectHeader(await ask(server, url, otherVersion), 'Tus-Version', /(^|[ ,])1\.0\.0($|[ ,])/);
    },
  },
  'version-unsupported-not-processed': {
    level: 'MUST',
    says: unprocessed,
    run: async (server) => {
      const url = await server.create();
      if ((await server.post({ 'Upload-Length': '1', ...otherVersion })).header('location') !== undefined)
        deviates(`POST of version ${NO_VERSION} was answered with a Location`);
      await server.patch(url, 0, bytesOf(10), otherVersion);
      await server.remove(url, otherVersion);
      await server.expectOffset(url, 0, `after PATCH and DELETE of version ${NO_VERSION}, `);
    },
  },
  'version-missing-412': {
    level: 'EXTRA',
    says: 'A request without Tus-Resumable is answered 412 with Tus-Version, and not processed',
    run: async (server) => {
      const url = await server.create();
      const without = { 'Tus-Resumable': null };
      const answers = [];
      for (const ask of Object.values(ofVersion)) answers.push(await ask(server, url, without));
      await server.expectOffset(url, 0, 'after a PATCH without Tus-Resumable, ');
      for (const answer of answers) expectHeader(expectStatus(answer, 412), 'Tus-Version', /./);
    },
  },
  'method-override-patch': {
    level: 'MUST',
    says: 'X-HTTP-Method-Override … MUST be interpreted as the request’s method by the Server',
    run: async (server) => {
      const answer = await overridden(server, 'POST', await server.create());
      expectStatus(answer, 204);
      expectHeader(answer, 'Upload-Offset', '10');
    },
  },
  'method-override-delete': {
    level: 'MUST',
    says: 'X-HTTP-Method-Override … MUST be interpreted as the request’s method by the Server',
    needs: ['creation', 'termination'],
    run: async (server) => {
      const url = await server.create();
      const headers = { 'X-HTTP-Method-Override': 'DELETE' };
      expectStatus(await server.ask('POST', url, { headers }), 204);
      expectStatus(await server.head(url), 404, 410, 403);
    },
  },
  'method-override-actual-ignored': {
    level: 'MUST',
    says: 'The actual method of the request MUST be ignored',
    run: async (server) => {
      const url = await server.create();
      const answer = await overridden(server, 'PUT', url);
      if (answer.status !== 204) deviates(`PUT that says PATCH answered ${String(answer.status)}, not 204`);
      await server.expectOffset(url, 10);
    },
  },
});
