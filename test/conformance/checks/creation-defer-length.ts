import { advertised, checksOf, deviates, NotOffered } from '../check.ts';
import { expectHeader, expectNoHeader, expectRefusal, expectStatus } from '../expectations.ts';
import { bytesOf, PATCH_TYPE } from '../subject.ts';

const deferred =
  'As long as the length of the upload is not known, the Server MUST set Upload-Defer-Length: 1 in all responses to HEAD';

export const creationDeferLength = checksOf('creation-defer-length', ['creation', 'creation-defer-length'], {
  advertised: advertised('creation-defer-length', {
    says: 'If the Server supports deferring length, it MUST add creation-defer-length to the Tus-Extension header',
    needs: ['creation'],
    asked: 'a deferred creation',
    status: 201,
    ask: (server) => server.post({ 'Upload-Defer-Length': '1' }),
  }),
  'post-201': {
    level: 'MUST',
    says: 'The request MUST include … b) Upload-Defer-Length: 1 if upload size is not known at the time',
    run: async (server) => {
      expectStatus(await server.post({ 'Upload-Defer-Length': '1' }), 201);
    },
  },
  'head-deferred': {
    level: 'MUST',
    says: deferred,
    run: async (server) => {
      const answer = await server.head(await server.createDeferred());
      expectHeader(answer, 'Upload-Defer-Length', '1');
      expectNoHeader(answer, 'Upload-Length');
    },
  },
  'head-deferred-after-patch': {
    level: 'MUST',
    says: deferred,
    run: async (server) => {
      const url = await server.createDeferred();
      expectStatus(await server.patch(url, 0, bytesOf(10)), 204);
      const answer = await server.head(url);
      expectHeader(answer, 'Upload-Offset', '10');
      expectHeader(answer, 'Upload-Defer-Length', '1');
    },
  },
  'other-value-400': {
    level: 'SHOULD',
    says: 'If the Upload-Defer-Length header contains any other value than 1 the server should return a 400',
    run: async (server) => {
      for (const value of ['0', '2', 'true']) {
        const answer = await server.post({ 'Upload-Defer-Length': value });
        if (answer.status !== 400)
          deviates(`POST with Upload-Defer-Length ${value} answered ${String(answer.status)}`);
      }
    },
  },
  'length-later': {
    level: 'MUST',
    says: 'Once it is known the Client MUST set the Upload-Length header in the next PATCH request',
    run: async (server) => {
      const url = await server.createDeferred();
      expectStatus(await server.patch(url, 0, bytesOf(10)), 204);
      expectStatus(await server.patch(url, 10, bytesOf(10), { 'Upload-Length': '30' }), 204);
      const answer = await server.head(url);
      expectHeader(answer, 'Upload-Length', '30');
      expectHeader(answer, 'Upload-Offset', '20');
    },
  },
  'length-later-not-deferred': {
    level: 'MUST',
    says: 'If the length of an upload is not deferred, this header MUST be omitted',
    run: async (server) => {
      const url = await server.createDeferred();
      expectStatus(await server.patch(url, 0, bytesOf(10), { 'Upload-Length': '30' }), 204);
      const answer = await server.head(url);
      expectHeader(answer, 'Upload-Length', '30');
      expectNoHeader(answer, 'Upload-Defer-Length');
    },
  },
  'length-with-last-bytes': {
    level: 'MUST',
    says: 'Once it is known the Client MUST set the Upload-Length header in the next PATCH request (the last one)',
    run: async (server) => {
      const url = await server.createDeferred();
      await server.patch(url, 0, bytesOf(10));
      expectStatus(await server.patch(url, 10, bytesOf(5), { 'Upload-Length': '15' }), 204);
      const answer = await server.head(url);
      expectHeader(answer, 'Upload-Length', '15');
      expectHeader(answer, 'Upload-Offset', '15');
    },
  },
  'length-unchangeable': {
    level: 'MUST',
    says: 'Once set the length MUST NOT be changed',
    run: async (server) => {
      const url = await server.createDeferred();
      await server.patch(url, 0, bytesOf(10), { 'Upload-Length': '30' });
      await server.patch(url, 10, bytesOf(1), { 'Upload-Length': '40' });
      expectHeader(await server.head(url), 'Upload-Length', '30');
      const known = await server.create(30);
      await server.patch(known, 0, bytesOf(1), { 'Upload-Length': '40' });
      expectHeader(await server.head(known), 'Upload-Length', '30');
    },
  },
  'length-changed-refused': {
    level: 'EXTRA',
    says: 'A PATCH with another Upload-Length than the one that was set is refused, and not applied',
    run: async (server) => {
      const url = await server.createDeferred();
      await server.patch(url, 0, bytesOf(10), { 'Upload-Length': '30' });
      const answer = await server.patch(url, 10, bytesOf(1), { 'Upload-Length': '40' });
      await server.expectOffset(url, 10);
      expectRefusal(answer);
    },
  },
  'length-below-offset-refused': {
    level: 'EXTRA',
    says: 'A length below what has arrived is refused',
    run: async (server) => {
      const url = await server.createDeferred();
      await server.patch(url, 0, bytesOf(10));
      expectRefusal(await server.patch(url, 10, bytesOf(1), { 'Upload-Length': '5' }));
      await server.expectOffset(url, 10);
    },
  },
  'length-with-empty-patch': {
    level: 'EXTRA',
    says: 'The length may come with a PATCH without a byte',
    run: async (server) => {
      const url = await server.createDeferred();
      await server.patch(url, 0, bytesOf(10));
      expectStatus(await server.patch(url, 10, new Uint8Array(), { 'Upload-Length': '10' }), 204);
      expectHeader(await server.head(url), 'Upload-Length', '10');
    },
  },
  'max-size-413': {
    level: 'EXTRA',
    says: 'A length above Tus-Max-Size is refused by 413 also when it comes later',
    run: async (server) => {
      const { maxSize } = server.offer;
      if (maxSize === undefined) throw new NotOffered('no Tus-Max-Size');
      const url = await server.createDeferred();
      expectStatus(await server.patch(url, 0, bytesOf(10), { 'Upload-Length': String(maxSize + 1n) }), 413);
    },
  },
  'with-upload': {
    level: 'MUST',
    says: 'MUST include the Upload-Offset header in the response and MUST set its value to the offset of the upload',
    needs: ['creation', 'creation-defer-length', 'creation-with-upload'],
    run: async (server) => {
      const headers = { 'Upload-Defer-Length': '1', 'Content-Type': PATCH_TYPE };
      const answer = expectStatus(await server.post(headers, { body: bytesOf(10) }), 201);
      expectHeader(answer, 'Upload-Offset', '10');
      const head = await server.head(server.locationOf(answer));
      expectHeader(head, 'Upload-Offset', '10');
      expectHeader(head, 'Upload-Defer-Length', '1');
    },
  },
});
