import { checksOf, deviates, NotOffered } from '../check.ts';
import { expectHeader, expectRefusal, expectStatus } from '../expectations.ts';
import { bytesOf, PATCH_TYPE } from '../subject.ts';

const tells =
  'MUST include the Upload-Offset header in the response and MUST set its value to the offset of the upload';
const withType = { 'Content-Type': PATCH_TYPE };

export const creationWithUpload = checksOf('creation-with-upload', ['creation', 'creation-with-upload'], {
  advertised: {
    level: 'MUST',
    says: 'If the Server supports this extension, it MUST advertise this by including creation-with-upload',
    needs: ['creation'],
    run: async (server) => {
      if (server.offers('creation-with-upload')) return;
      const answer = await server.post({ 'Upload-Length': '10', ...withType }, { body: bytesOf(10) });
      if (answer.status === 201 && (await server.offsetOf(server.locationOf(answer))) > 0)
        deviates('POST took a body, though OPTIONS does not name creation-with-upload');
      throw new NotOffered(`POST with a body answered ${String(answer.status)}`);
    },
  },
  'depends-on-creation': {
    level: 'MUST',
    says: 'if the Server does not offer the Creation extension, it MUST NOT offer the Creation With Upload extension either',
    needs: ['creation-with-upload'],
    run: async (server) => {
      if (!(await server.discover()).extensions.has('creation'))
        deviates('creation-with-upload without creation');
    },
  },
  'takes-all': {
    level: 'SHOULD',
    says: 'The Server SHOULD accept as many bytes as possible',
    run: async (server) => {
      const body = bytesOf(server.bytes);
      const answer = await server.post({ 'Upload-Length': String(body.length), ...withType }, { body });
      await server.expectOffset(server.locationOf(answer), body.length);
    },
  },
  'tells-offset': {
    level: 'MUST',
    says: tells,
    run: async (server) => {
      const answer = await server.post({ 'Upload-Length': '100', ...withType }, { body: bytesOf(5) });
      expectHeader(expectStatus(answer, 201), 'Upload-Offset', /^\d+$/);
    },
  },
  'tells-true-offset': {
    level: 'MUST',
    says: tells,
    run: async (server) => {
      const answer = await server.post({ 'Upload-Length': '100', ...withType }, { body: bytesOf(5) });
      const offset = await server.offsetOf(server.locationOf(answer));
      expectHeader(answer, 'Upload-Offset', String(offset));
    },
  },
  'tells-offset-of-whole': {
    level: 'MUST',
    says: `${tells} (the entirety of the upload)`,
    run: async (server) => {
      const answer = await server.post({ 'Upload-Length': '5', ...withType }, { body: bytesOf(5) });
      const offset = await server.offsetOf(server.locationOf(answer));
      expectHeader(answer, 'Upload-Offset', String(offset));
    },
  },
  resumed: {
    level: 'MUST',
    says: 'The Client MUST perform the actual upload using the core protocol (the rest of it)',
    run: async (server) => {
      const body = bytesOf(20);
      const answer = await server.post({ 'Upload-Length': '20', ...withType }, { body: body.subarray(0, 5) });
      const url = server.locationOf(answer);
      const offset = await server.offsetOf(url);
      expectHeader(await server.patch(url, offset, body.subarray(offset)), 'Upload-Offset', '20');
      await server.expectContentIfServed(url, body);
    },
  },
  'type-only': {
    level: 'EXTRA',
    says: 'Its Content-Type without a byte of body creates the upload, at offset 0',
    run: async (server) => {
      const answer = expectStatus(await server.post({ 'Upload-Length': '10', ...withType }), 201);
      expectHeader(answer, 'Upload-Offset', '0');
    },
  },
  'type-wrong-not-applied': {
    level: 'EXTRA',
    says: 'A body of another type is not taken for the upload’s: 415, or an upload at offset 0',
    run: async (server) => {
      const answer = await server.post(
        { 'Upload-Length': '10', 'Content-Type': 'text/plain' },
        { body: bytesOf(10) },
      );
      if (answer.status !== 201) expectStatus(answer, 415);
      else await server.expectOffset(server.locationOf(answer), 0);
    },
  },
  'beyond-length-refused': {
    level: 'EXTRA',
    says: 'A body that goes beyond Upload-Length is refused',
    run: async (server) => {
      expectRefusal(await server.post({ 'Upload-Length': '5', ...withType }, { body: bytesOf(10) }));
    },
  },
  chunked: {
    level: 'EXTRA',
    says: 'A body in chunks is taken as one with Content-Length is (411 is legal HTTP)',
    run: async (server) => {
      const more = { body: bytesOf(10), framing: 'chunked' as const };
      const answer = await server.post({ 'Upload-Length': '10', ...withType }, more);
      if (answer.status === 411) throw new NotOffered('POST in chunks answered 411');
      expectHeader(expectStatus(answer, 201), 'Upload-Offset', '10');
    },
  },
  'expect-continue': {
    level: 'SHOULD',
    says: 'Expect: 100-continue … to receive early feedback from the Server on whether it will accept the creation request',
    run: async (server) => {
      const headers = {
        ...(server.metadataOf('') === '' ? {} : { 'Upload-Metadata': server.metadataOf('a YQ==') }),
        'Upload-Length': '5',
        'Content-Length': '5',
        Expect: '100-continue',
        ...withType,
      };
      const request = await server.open('POST', server.url, { headers });
      const came = await request.interim(100);
      if (came !== 'interim') {
        request.close();
        deviates(came === 'final' ? 'POST was answered without its body' : 'POST: no 100 came');
      }
      request.write(bytesOf(5));
      expectHeader(expectStatus(await request.answer(), 201), 'Upload-Offset', '5');
    },
  },
});
