import { z } from 'zod';
import { configSchema } from './config.ts';

/** One value of the configuration, as the schema describes it. */
export interface Leaf {
  /** For example `http.port`. */
  readonly path: string;
  /** The variable that sets it; null for lists and the file's own version, which only a file can hold. */
  readonly variable: string | null;
  readonly type: 'string' | 'number' | 'boolean' | 'list';
  readonly choices: readonly string[];
  readonly fallback: unknown;
  readonly description: string;
}

/** The part of JSON Schema that our own schema comes out as. */
const node = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().default(''),
  default: z.unknown().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.string()).default([]),
  properties: z.record(z.string(), z.unknown()).optional(),
});

/** `stow.answerSecondsPer10MiB` → `SLUIS_STOW_ANSWER_SECONDS_PER_10_MIB` */
export function variableOf(path: string): string {
  const words = path
    .replaceAll('MiB', 'Mib')
    .replace(/\bs3\b/g, 'S3')
    .replace(/([a-z])([A-Z0-9])/g, '$1_$2')
    .replace(/([0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_');
  return `SLUIS_${words.toUpperCase()}`;
}

function walk(schema: unknown, path: string): Leaf[] {
  const found = node.parse(schema);
  if (found.properties !== undefined) {
    return Object.entries(found.properties).flatMap(([key, inner]) =>
      walk(inner, path === '' ? key : `${path}.${key}`),
    );
  }
  const [type = 'string'] = [found.type].flat();
  return [
    {
      path,
      variable: type === 'array' || found.const !== undefined ? null : variableOf(path),
      type:
        type === 'array'
          ? 'list'
          : type === 'integer' || type === 'number'
            ? 'number'
            : type === 'boolean'
              ? type
              : 'string',
      choices: found.enum,
      fallback: found.default ?? found.const,
      description: found.description,
    },
  ];
}

/** Every value there is, in the order of the schema. */
export const leaves: readonly Leaf[] = walk(z.toJSONSchema(configSchema, { io: 'input' }), '');
