import { z } from 'zod';
import type { HeaderParameter, Route } from './app.ts';

const problemRef = { $ref: '#/components/schemas/Problem' };

/** OpenAPI 3.1 from the routes' own zod schemas, with the streamed addresses that are not JSON. */
export function openapiOf(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, status, headers, query, body } of routes) {
    const at = path.replace(/:(\w+)/g, '{$1}');
    paths[at] = {
      ...paths[at],
      [method.toLowerCase()]: {
        summary,
        parameters: [...pathParameters(path), ...queryParameters(query), ...headerParameters(headers)],
        ...(body === undefined ? {} : { requestBody: bodyOf('application/json', schemaOf(body)) }),
        responses: answers(status),
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sluis', version, description: 'Moves radiology studies and reports between hospitals.' },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: problemSchema },
    },
    security: [{ bearer: [] }],
    paths: { ...paths, ...streamed },
  };
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457; code is stable',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', pattern: '^SLUIS_' },
    remedy: { enum: ['retry', 'resume', 'give-up', 'fix-request'] },
    facts: {
      type: 'object',
      description: 'numbers and names that the detail speaks of',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
    },
  },
};

const idParameter = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };

const tusVersion: HeaderParameter = { name: 'Tus-Resumable', required: true, description: '1.0.0' };
const methodOverride: HeaderParameter = {
  name: 'X-HTTP-Method-Override',
  required: true,
  description: 'PATCH, DELETE or HEAD; the other headers are those of that method',
};
const uploadOffset: HeaderParameter = {
  name: 'Upload-Offset',
  required: true,
  description: 'where the bytes belong: the offset that HEAD told',
};
const newUploadHeaders: readonly HeaderParameter[] = [
  tusVersion,
  { name: 'Upload-Length', required: true, description: 'bytes of the whole upload' },
  {
    name: 'Upload-Metadata',
    required: false,
    description: 'tus pairs of key and base64: from, to, priority, filetype, transfer',
  },
];
const contentHeaders: readonly HeaderParameter[] = [
  {
    name: 'Accept',
    required: false,
    description: 'multipart/related (also when absent) or application/zip; anything else is a 406',
  },
  {
    name: 'Range',
    required: false,
    description: 'one range: bytes=FIRST-LAST, bytes=FIRST- or bytes=-COUNT',
  },
  {
    name: 'If-Range',
    required: false,
    description: 'the ETag that the range is of; of another one all is sent',
  },
];

const uploadBytes = bodyOf('application/offset+octet-stream', {});

const streamed = {
  '/v1/uploads': {
    options: {
      summary: 'tus 1.0.0: version, extensions and the largest upload',
      responses: answers(204),
      security: [],
    },
    post: {
      summary: 'tus 1.0.0 creation, also with the first bytes',
      parameters: headerParameters(newUploadHeaders),
      requestBody: { ...uploadBytes, required: false },
      responses: answers(201),
    },
  },
  '/v1/uploads/{id}': {
    head: {
      summary: 'tus 1.0.0: Upload-Offset',
      parameters: [idParameter, ...headerParameters([tusVersion])],
      responses: answers(200),
    },
    patch: {
      summary: 'tus 1.0.0: appends at Upload-Offset',
      parameters: [idParameter, ...headerParameters([tusVersion, uploadOffset])],
      requestBody: uploadBytes,
      responses: answers(204),
    },
    delete: {
      summary: 'tus 1.0.0 termination',
      parameters: [idParameter, ...headerParameters([tusVersion])],
      responses: answers(204),
    },
    post: {
      summary: 'tus 1.0.0: another method, for clients that can send no other than POST',
      parameters: [idParameter, ...headerParameters([methodOverride, tusVersion])],
      requestBody: { ...uploadBytes, required: false },
      responses: answers(200),
    },
    get: {
      summary: 'The bytes so far of an own upload that no transfer has claimed',
      parameters: [idParameter],
      responses: answers(200),
    },
  },
  '/v1/deliveries/{id}/content': {
    get: {
      summary: 'The composed package, multipart/related, or a ZIP archive; Range and If-Range',
      parameters: [idParameter, ...headerParameters(contentHeaders)],
      responses: {
        ...answers(200),
        200: { description: 'all of it', content: { 'multipart/related': {}, 'application/zip': {} } },
        206: { description: 'the range' },
      },
    },
  },
};

function answers(status: number): Record<string, unknown> {
  return {
    [status]: { description: 'done' },
    default: { description: 'a problem', content: { 'application/problem+json': { schema: problemRef } } },
  };
}

function pathParameters(path: string): unknown[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ ...idParameter, name }));
}

function queryParameters(query: z.ZodType | undefined): unknown[] {
  const { properties = {} } = (query === undefined ? {} : schemaOf(query)) as {
    properties?: Record<string, unknown>;
  };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}

function headerParameters(headers: readonly HeaderParameter[] = []): unknown[] {
  return headers.map((header) => ({ ...header, in: 'header', schema: { type: 'string' } }));
}

function bodyOf(mediaType: string, schema: unknown): { required: boolean; content: object } {
  return { required: true, content: { [mediaType]: { schema } } };
}

/** What a client sends, so the input side of transforms and defaults. */
function schemaOf(schema: z.ZodType | undefined): unknown {
  return schema === undefined ? {} : z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}
