import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { route } from '../../../src/http/api/app.ts';
import { openapiOf } from '../../../src/http/api/openapi.ts';
import { answerHeaders, requestHeaders } from '../../../src/upload/cors.ts';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
}
type Method = 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete';
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: object };
}

/** Of refusals, which are not told one by one. */
const wanted = ['Want-Content-Digest', 'Want-Repr-Digest'];
const routes = [
  route({
    method: 'POST',
    path: '/v1/things/:id',
    summary: 'Makes a thing',
    status: 201,
    headers: [
      { name: 'Idempotency-Key', required: false, description: 'the same again makes no second one' },
    ],
    query: z.strictObject({ wait: z.string().optional() }),
    body: z.strictObject({ name: z.string() }),
    handle: () => ({}),
  }),
  route({ method: 'PUT', path: '/v1/things', summary: 'Takes no body', status: 200, handle: () => ({}) }),
];
const { paths, components } = openapiOf(routes, '0.0.0') as {
  readonly paths: Readonly<Record<string, Partial<Record<Method, Operation>>>>;
  readonly components: { readonly schemas: { readonly Problem: { readonly properties: object } } };
};
const headersOf = (path: string, method: Method): string[] =>
  (paths[path]?.[method]?.parameters ?? [])
    .filter((one) => one.in === 'header')
    .map(({ name, required }) => `${name}${required === true ? '' : '?'}`);

describe('/openapi.json', () => {
  it('names the headers of a route beside its path and query', () => {
    expect(paths['/v1/things/{id}']?.post?.parameters).toMatchObject([
      { name: 'id', in: 'path', required: true },
      { name: 'wait', in: 'query' },
      { name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string' } },
    ]);
  });

  it('asks for a body where a route takes one, and only there', () => {
    const taking = paths['/v1/things/{id}']?.post?.requestBody;
    expect(taking).toMatchObject({
      required: true,
      content: { 'application/json': { schema: { type: 'object' } } },
    });
    expect(paths['/v1/things']?.put).not.toHaveProperty('requestBody');
  });

  it.each<[Method, string, string[]]>([
    [
      'post',
      '/v1/uploads',
      [
        ...[
          'Tus-Resumable?',
          'Upload-Complete?',
          'Upload-Length?',
          'Upload-Defer-Length?',
          'Upload-Metadata?',
        ],
        ...['Upload-Concat?', 'Upload-Checksum?', 'Content-Digest?', 'Repr-Digest?'],
      ],
    ],
    ['head', '/v1/uploads/{id}', ['Tus-Resumable?']],
    [
      'patch',
      '/v1/uploads/{id}',
      [
        ...['Tus-Resumable?', 'Upload-Offset', 'Upload-Complete?', 'Upload-Length?'],
        ...['Upload-Checksum?', 'Content-Digest?'],
      ],
    ],
    ['delete', '/v1/uploads/{id}', ['Tus-Resumable?']],
    ['post', '/v1/uploads/{id}', ['X-HTTP-Method-Override', 'Tus-Resumable?']],
    ['get', '/v1/uploads/{id}', []],
    ['get', '/v1/deliveries/{id}/content', ['Accept?', 'Range?', 'If-Range?']],
  ])('names the headers of %s %s', (method, path, headers) => {
    expect(headersOf(path, method)).toEqual(headers);
  });

  it('says of the bytes of an upload what they are, and that a PATCH has some', () => {
    const tus = { 'application/offset+octet-stream': {} };
    expect(paths['/v1/uploads/{id}']?.patch?.requestBody).toMatchObject({
      content: { ...tus, 'application/partial-upload': {} },
      required: true,
    });
    expect(paths['/v1/uploads']?.post?.requestBody).toMatchObject({ content: tus, required: false });
  });

  it('names every header that a page may send to uploads, and read of their answers', () => {
    const ofUploads = JSON.stringify([paths['/v1/uploads'], paths['/v1/uploads/{id}']]);
    const names = [...requestHeaders, ...answerHeaders].filter((name) => /^(Tus|Upload)-|Digest$/.test(name));
    const unsaid = names.filter((name) => !ofUploads.includes(`"${name}"`));
    expect(unsaid).toEqual(['Upload-Draft-Interop-Version', 'Upload-Draft-Interop-Version', ...wanted]);
  });

  it('knows the facts of a problem', () => {
    expect(components.schemas.Problem.properties).toHaveProperty('facts');
  });
});
