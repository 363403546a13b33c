import { z } from 'zod';
import type { HeaderParameter, Route } from './app.ts';
import { answers, bodyOf, headerParameters, idParameter } from './openapi-parts.ts';
import { uploadPaths } from './openapi-uploads.ts';

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

const streamed = {
  ...uploadPaths,
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
