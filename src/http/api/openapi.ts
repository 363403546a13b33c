import { z } from 'zod';
import type { Route } from './app.ts';

const problemRef = { $ref: '#/components/schemas/Problem' };

/** OpenAPI 3.1 from the routes' own zod schemas, with the streamed addresses that are not JSON. */
export function openapiOf(routes: readonly Route[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, status, query, body } of routes) {
    const at = path.replace(/:(\w+)/g, '{$1}');
    paths[at] = {
      ...paths[at],
      [method.toLowerCase()]: {
        summary,
        parameters: [...pathParameters(path), ...queryParameters(query)],
        ...(method === 'GET'
          ? {}
          : { requestBody: { content: { 'application/json': { schema: schemaOf(body) } } } }),
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
  },
};

const idParameter = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };

const streamed = {
  '/v1/uploads': {
    options: {
      summary: 'tus 1.0.0: version, extensions and the largest upload',
      responses: answers(204),
      security: [],
    },
    post: { summary: 'tus 1.0.0 creation, also with the first bytes', responses: answers(201) },
  },
  '/v1/uploads/{id}': {
    head: { summary: 'tus 1.0.0: Upload-Offset', parameters: [idParameter], responses: answers(200) },
    patch: {
      summary: 'tus 1.0.0: appends at Upload-Offset',
      parameters: [idParameter],
      responses: answers(204),
    },
    delete: { summary: 'tus 1.0.0 termination', parameters: [idParameter], responses: answers(204) },
    get: {
      summary: 'The bytes so far of an own upload that no transfer has claimed',
      parameters: [idParameter],
      responses: answers(200),
    },
  },
  '/v1/deliveries/{id}/content': {
    get: {
      summary: 'The composed package, multipart/related; Range and If-Range',
      parameters: [idParameter],
      responses: { ...answers(200), 206: { description: 'the range' } },
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

/** What a client sends, so the input side of transforms and defaults. */
function schemaOf(schema: z.ZodType | undefined): unknown {
  return schema === undefined ? {} : z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}
