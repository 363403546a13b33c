import { setTimeout as sleep } from 'node:timers/promises';
import { checksOf, deviates, NotOffered } from '../check.ts';
import type { OpenRequest } from '../client.ts';
import { expectHeader, expectStatus } from '../expectations.ts';
import { bytesOf, type Subject } from '../subject.ts';

/** For bytes to arrive that the kernel still holds; a reset throws away what the server has not read. */
const ARRIVE_MS = 400;
/** How long a writer may hang before the next one has to get in. */
const REPLACE_MS = 20_000;

const store = 'The Server SHOULD always attempt to store as much of the received data as possible';

interface Halfway {
  readonly url: URL;
  readonly all: Buffer;
  readonly half: number;
  readonly patch: OpenRequest;
}

/** An upload of whose only PATCH one half has arrived. */
async function halfway(server: Subject): Promise<Halfway> {
  const all = bytesOf(server.bytes);
  const half = server.bytes >> 1;
  const url = await server.create();
  const headers = { 'Content-Length': String(all.length) };
  const patch = await server.openPatch(url, headers, all.subarray(0, half));
  await sleep(ARRIVE_MS);
  return { url, all, half, patch };
}

async function expectKept(server: Subject, cut: (patch: OpenRequest) => void): Promise<void> {
  const { url, half, patch } = await halfway(server);
  cut(patch);
  const offset = await server.settled(url, half);
  patch.close();
  if (offset !== half)
    deviates(`of ${String(half)} bytes that arrived before the cut, HEAD tells ${String(offset)}`);
}

export const coreNetwork = checksOf('core', ['creation'], {
  'cut-by-reset-keeps-bytes': {
    level: 'SHOULD',
    says: store,
    run: (server) => expectKept(server, (patch) => patch.reset()),
  },
  'cut-by-end-keeps-bytes': {
    level: 'SHOULD',
    says: store,
    run: (server) => expectKept(server, (patch) => patch.finish()),
  },
  'resume-after-cut': {
    level: 'SHOULD',
    says: 'Both Client and Server, SHOULD attempt to detect and handle network errors predictably',
    run: async (server) => {
      const { url, all, half, patch } = await halfway(server);
      patch.reset();
      const offset = await server.settled(url, half);
      const answer = expectStatus(await server.patch(url, offset, all.subarray(offset)), 204);
      expectHeader(answer, 'Upload-Offset', String(all.length));
      await server.expectContentIfServed(url, all);
    },
  },
  'offset-within-what-was-sent': {
    level: 'MUST',
    says: 'The new offset MUST be the sum of the offset before … and the number of bytes received and processed or stored',
    run: async (server) => {
      const { url, half, patch } = await halfway(server);
      patch.reset();
      for (let look = 0; look < 5; look += 1) {
        const offset = await server.offsetOf(url);
        if (offset > half) deviates(`of ${String(half)} bytes sent, HEAD tells ${String(offset)}`);
        await sleep(20);
      }
    },
  },
  'stalled-writer-replaced': {
    level: 'EXTRA',
    says: 'A second PATCH from the offset that HEAD tells gets in within 20 s, though the first still hangs',
    run: async (server) => {
      const { url, all, half, patch } = await halfway(server);
      const deadline = performance.now() + REPLACE_MS;
      try {
        for (;;) {
          const offset = await server.settled(url, half);
          const answer = await server.patch(url, offset, all.subarray(offset));
          if (answer.status === 204) break;
          if (performance.now() > deadline) expectStatus(answer, 204);
          await sleep(200);
        }
        await server.expectOffset(url, all.length);
      } finally {
        patch.close();
      }
    },
  },
  'replaced-writer-not-told-success': {
    level: 'EXTRA',
    says: 'The writer that was replaced is not told 204',
    run: async (server) => {
      const { url, all, half, patch } = await halfway(server);
      const offset = await server.settled(url, half);
      const second = await server.patch(url, offset, all.subarray(offset));
      if (second.status !== 204) throw new NotOffered(`a second PATCH answered ${String(second.status)}`);
      const answer = await patch.answer().catch(() => undefined);
      if (answer?.status === 204)
        deviates(`the first PATCH answered 204 with Upload-Offset ${String(answer.header('upload-offset'))}`);
    },
  },
  'expect-continue': {
    level: 'EXTRA',
    says: 'A PATCH with Expect: 100-continue gets 100 before its body is sent',
    run: async (server) => {
      const all = bytesOf(server.bytes);
      const url = await server.create();
      const patch = await server.openPatch(url, {
        'Content-Length': String(all.length),
        Expect: '100-continue',
      });
      const came = await patch.interim(100);
      if (came !== 'interim') {
        patch.close();
        deviates(came === 'final' ? 'PATCH was answered without its body' : 'PATCH: no 100 came');
      }
      patch.write(all);
      expectStatus(await patch.answer(), 204);
    },
  },
  'expect-continue-refused-before-body': {
    level: 'EXTRA',
    says: 'A PATCH at a wrong offset with Expect: 100-continue is answered 409 before its body is sent',
    run: async (server) => {
      const url = await server.create();
      const patch = await server.openPatch(url, {
        'Upload-Offset': '5',
        'Content-Length': '5',
        Expect: '100-continue',
      });
      const came = await patch.interim(100);
      patch.write(bytesOf(5));
      expectStatus(await patch.answer(), 409);
      if (came === 'interim') deviates('PATCH at a wrong offset got 100');
    },
  },
});
