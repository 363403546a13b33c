import { aNumber, checksOf, deviates, listOf, NotOffered } from '../check.ts';
import { expectHeader, expectStatus } from '../expectations.ts';
import { NO_VERSION } from '../subject.ts';

export const options = checksOf('options', [], {
  status: {
    level: 'MUST',
    says: 'A successful response indicated by the 204 No Content or 200 OK status',
    run: async (server) => {
      expectStatus(await server.options(), 200, 204);
    },
  },
  'tus-version': {
    level: 'MUST',
    says: 'A successful response … MUST contain the Tus-Version header',
    run: async (server) => {
      expectHeader(await server.options(), 'Tus-Version', /./);
    },
  },
  'tus-version-list': {
    level: 'MUST',
    says: 'The Tus-Version response header MUST be a comma-separated list of protocol versions',
    run: async (server) => {
      const given = expectHeader(
        await server.options(),
        'Tus-Version',
        /^\d+\.\d+\.\d+(\s*,\s*\d+\.\d+\.\d+)*$/,
      );
      if (!listOf(given).includes('1.0.0')) deviates(`OPTIONS answered Tus-Version ${given}, without 1.0.0`);
    },
  },
  'ignores-tus-resumable': {
    level: 'MUST',
    says: 'The Client SHOULD NOT include the Tus-Resumable header in the request and the Server MUST ignore the header',
    run: async (server) => {
      const answer = await server.options({ 'Tus-Resumable': NO_VERSION });
      expectStatus(answer, 200, 204);
      expectHeader(answer, 'Tus-Version', /./);
    },
  },
  'tus-extension': {
    level: 'MAY',
    says: 'It MAY include the Tus-Extension and Tus-Max-Size headers',
    run: async (server) => {
      if ((await server.options()).header('tus-extension') === undefined)
        throw new NotOffered('no Tus-Extension');
    },
  },
  'tus-extension-list': {
    level: 'MUST',
    says: 'Tus-Extension … MUST be a comma-separated list … If no extensions are supported, the header MUST be omitted',
    run: async (server) => {
      const answer = await server.options();
      if (answer.header('tus-extension') === undefined) throw new NotOffered('no Tus-Extension');
      expectHeader(answer, 'Tus-Extension', /^[a-z0-9-]+(\s*,\s*[a-z0-9-]+)*$/);
    },
  },
  'tus-max-size-integer': {
    level: 'MUST',
    says: 'The Tus-Max-Size response header MUST be a non-negative integer',
    run: async (server) => {
      const answer = await server.options();
      if (answer.header('tus-max-size') === undefined) throw new NotOffered('no Tus-Max-Size');
      expectHeader(answer, 'Tus-Max-Size', aNumber);
    },
  },
  'feature-detection': {
    level: 'SHOULD',
    says: 'Feature detection SHOULD be achieved by … OPTIONS … and the Server responding with the Tus-Extension header',
    run: async (server) => {
      const { extensions } = await server.discover();
      if (extensions.size === 0) deviates('OPTIONS names no extension');
    },
  },
});
