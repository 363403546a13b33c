import { setTimeout as sleep } from 'node:timers/promises';
import { advertised, checksOf, deviates } from '../check.ts';
import { expectStatus } from '../expectations.ts';
import { bytesOf, type Subject } from '../subject.ts';

const confirmed =
  'When receiving a DELETE request for an existing upload the Server … MUST respond with the 204 No Content';
const gone =
  'For all future requests to this URL, the Server SHOULD respond with the 404 Not Found or 410 Gone status';

async function removed(server: Subject): Promise<URL> {
  const url = await server.create();
  await server.patch(url, 0, bytesOf(10));
  expectStatus(await server.remove(url), 204);
  return url;
}

export const termination = checksOf('termination', ['creation', 'termination'], {
  advertised: advertised('termination', {
    says: 'If this extension is supported by the Server, it MUST be announced by adding termination',
    needs: ['creation'],
    asked: 'DELETE',
    status: 204,
    ask: async (server) => server.remove(await server.create()),
  }),
  'unfinished-204': {
    level: 'MUST',
    says: confirmed,
    run: async (server) => {
      await removed(server);
    },
  },
  'complete-204': {
    level: 'MUST',
    says: `a way for the Client to terminate completed and unfinished uploads … ${confirmed}`,
    run: async (server) => {
      expectStatus(await server.remove(await server.upload(bytesOf(10))), 204);
    },
  },
  'head-gone': {
    level: 'SHOULD',
    says: gone,
    run: async (server) => {
      expectStatus(await server.head(await removed(server)), 404, 410);
    },
  },
  'patch-gone': {
    level: 'SHOULD',
    says: gone,
    run: async (server) => {
      expectStatus(await server.patch(await removed(server), 10, bytesOf(10)), 404, 410);
    },
  },
  'delete-gone': {
    level: 'SHOULD',
    says: gone,
    run: async (server) => {
      expectStatus(await server.remove(await removed(server)), 404, 410);
    },
  },
  'get-gone': {
    level: 'SHOULD',
    says: gone,
    run: async (server) => {
      const url = await server.upload(bytesOf(10));
      await server.content(url);
      expectStatus(await server.remove(url), 204);
      expectStatus(await server.ask('GET', url), 404, 410);
    },
  },
  'unknown-404': {
    level: 'EXTRA',
    says: 'DELETE of what never was is answered 404 or 410',
    run: async (server) => {
      expectStatus(await server.remove(await server.unknown()), 404, 410);
    },
  },
  'cancels-running-patch': {
    level: 'EXTRA',
    says: 'DELETE ends a PATCH that is under way, and the upload stays gone',
    run: async (server) => {
      const url = await server.create();
      const headers = { 'Content-Length': String(server.bytes) };
      const patch = await server.openPatch(url, headers, bytesOf(server.bytes >> 1));
      await sleep(200);
      try {
        expectStatus(await server.remove(url), 204);
        const answer = await patch.answer().catch(() => undefined);
        if (answer !== undefined && answer.status < 300)
          deviates(`the PATCH that was under way answered ${String(answer.status)}`);
        expectStatus(await server.head(url), 404, 410);
      } finally {
        patch.close();
      }
    },
  },
});
