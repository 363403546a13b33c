import { aNumber, checksOf } from '../check.ts';
import { expectHeader, expectNoHeader, expectStatus } from '../expectations.ts';
import { bytesOf } from '../subject.ts';

const always =
  'MUST always include the Upload-Offset header …, even if the offset is 0, or the upload is already considered completed';
const missing =
  'If the resource is not found, the Server SHOULD return either the 404, 410 or 403 status without the Upload-Offset header';

export const coreHead = checksOf('core', ['creation'], {
  'head-offset-zero': {
    level: 'MUST',
    says: always,
    run: async (server) => {
      expectHeader(expectStatus(await server.head(await server.create()), 200, 204), 'Upload-Offset', '0');
    },
  },
  'head-offset-between': {
    level: 'MUST',
    says: always,
    run: async (server) => {
      const url = await server.create();
      await server.patch(url, 0, bytesOf(10));
      expectHeader(await server.head(url), 'Upload-Offset', '10');
    },
  },
  'head-offset-complete': {
    level: 'MUST',
    says: always,
    run: async (server) => {
      const url = await server.upload(bytesOf(server.bytes));
      expectHeader(await server.head(url), 'Upload-Offset', String(server.bytes));
    },
  },
  'head-offset-integer': {
    level: 'MUST',
    says: 'Upload-Offset … The value MUST be a non-negative integer',
    run: async (server) => {
      expectHeader(await server.head(await server.create()), 'Upload-Offset', aNumber);
    },
  },
  'head-length': {
    level: 'MUST',
    says: 'If the size of the upload is known, the Server MUST include the Upload-Length header in the response',
    run: async (server) => {
      const url = await server.create();
      expectHeader(await server.head(url), 'Upload-Length', String(server.bytes));
      await server.patch(url, 0, bytesOf(server.bytes));
      expectHeader(await server.head(url), 'Upload-Length', String(server.bytes));
    },
  },
  'head-length-integer': {
    level: 'MUST',
    says: 'Upload-Length … The value MUST be a non-negative integer',
    run: async (server) => {
      expectHeader(await server.head(await server.create()), 'Upload-Length', aNumber);
    },
  },
  'head-no-store': {
    level: 'MUST',
    says: 'MUST prevent the client and/or proxies from caching the response by adding Cache-Control: no-store',
    run: async (server) => {
      const answer = await server.head(await server.create());
      expectHeader(answer, 'Cache-Control', /(^|[ ,])no-store($|[ ,;])/i);
    },
  },
  'head-unknown-404': {
    level: 'SHOULD',
    says: missing,
    run: async (server) => {
      expectStatus(await server.head(await server.unknown()), 404, 410, 403);
    },
  },
  'head-unknown-without-offset': {
    level: 'SHOULD',
    says: missing,
    run: async (server) => expectNoHeader(await server.head(await server.unknown()), 'Upload-Offset'),
  },
  'head-same-twice': {
    level: 'EXTRA',
    says: 'HEAD changes nothing: asked twice it tells the same',
    run: async (server) => {
      const url = await server.create();
      await server.patch(url, 0, bytesOf(10));
      await server.expectOffset(url, 10);
      await server.expectOffset(url, 10, 'asked again, ');
    },
  },
  'head-while-writing': {
    level: 'EXTRA',
    says: 'HEAD is answered while a PATCH of the same upload is under way',
    run: async (server) => {
      const url = await server.create(server.bytes);
      const half = server.bytes >> 1;
      const headers = { 'Content-Length': String(server.bytes) };
      const patch = await server.openPatch(url, headers, bytesOf(server.bytes).subarray(0, half));
      try {
        expectHeader(expectStatus(await server.head(url), 200, 204), 'Upload-Offset', aNumber);
      } finally {
        patch.reset();
      }
    },
  },
  'url-with-query': {
    level: 'EXTRA',
    says: 'A query behind an upload’s URL is no part of its name',
    run: async (server) => {
      const url = new URL(await server.create());
      url.searchParams.set('t', '1');
      expectHeader(expectStatus(await server.head(url), 200, 204), 'Upload-Offset', '0');
    },
  },
});
