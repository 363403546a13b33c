import { readFileSync, statSync } from 'node:fs';
import type { z } from 'zod';
import { type Config, configSchema } from './config.ts';
import { ConfigInvalid, type ConfigProblem } from './config-error.ts';
import { leaves } from './config-paths.ts';
import { asError } from './error.ts';
import { nearest } from './nearest.ts';

/** A configuration of 10,000 organizations takes about 10 MB; a study given by mistake is not read. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;

/** Variables that are not values of the configuration: the commands' own. */
const OTHER_VARIABLES = /^SLUIS_(SERVER|TOKEN_FILE|COMMIT|DEMO.*)$/;

export interface ConfigSources {
  /** A JSON file. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the command line said, by path: `{'http.port': '8080'}`. Undefined ones are as if absent. */
  readonly flags?: Readonly<Record<string, string | number | undefined>>;
}

interface Tree {
  [key: string]: unknown;
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON.parse of Node 20 names the character, not the line; for some mistakes no Node names even that. */
function placeOf(text: string, message: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  if (/end of JSON/.test(message) || Number(position) >= text.trimEnd().length) {
    return 'expected JSON, and the file ends too soon';
  }
  if (position === undefined) return 'expected JSON';
  const before = text.slice(0, Number(position)).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return `expected JSON, which goes wrong at line ${before.length.toString()}, column ${column.toString()}`;
}

function readTree(file: string, problems: ConfigProblem[]): Tree {
  const refuse = (message: string): Tree => {
    problems.push({ path: '', source: file, message });
    return { version: 1 };
  };
  let text: string;
  try {
    if (statSync(file).size > FILE_BYTES_MAX)
      return refuse('expected a configuration; this is larger than 32 MiB');
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (thrown) {
    return refuse(`cannot be read: ${asError(thrown).message}`);
  }
  try {
    const tree: unknown = JSON.parse(text);
    return isTree(tree) ? tree : refuse('expected a JSON object');
  } catch (thrown) {
    return refuse(placeOf(text, asError(thrown).message));
  }
}

/** A variable is text; what the schema wants as a number or truth is turned into one if it reads as one. */
function typed(text: string, type: string): unknown {
  if (type === 'number' && /^-?\d+(\.\d+)?$/.test(text.trim())) return Number(text);
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  return text;
}

/** Sets `path` in the tree; what is no object on the way stays, and the schema names it. */
function put(tree: Tree, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at = tree;
  for (const key of keys) {
    const inner = at[key] ?? {};
    if (!isTree(inner)) return;
    at[key] = inner;
    at = inner;
  }
  at[last] = value;
}

/** One sentence per problem; never with the value, which may be a secret in the wrong place. */
function problemsOf(issue: z.core.$ZodIssue, sourceOf: (path: string) => string): ConfigProblem[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const full = path === '' ? key : `${path}.${key}`;
      const meant = nearest(
        full,
        leaves.map((leaf) => leaf.path),
      );
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      return { path: full, source: sourceOf(full), message: `is no value of the configuration${hint}` };
    });
  }
  const message = issue.message
    .replace(/^Invalid (input|option|string): /, '')
    .replace(/^Too (small|big): /, '')
    .replace(/^Invalid discriminator value\. E/, 'e')
    .replace(/, received undefined$/, ', and it is missing');
  return [{ path, source: sourceOf(path), message }];
}

/**
 * The effective configuration: flags over SLUIS_* variables over the file over the defaults.
 *
 * Throws ConfigInvalid with every problem of all of them at once. Without a file everything has its
 * default. An empty variable counts as not set, as compose files and units make them.
 */
export function loadConfig({ file, env, flags = {} }: ConfigSources): { readonly config: Config } {
  const problems: ConfigProblem[] = [];
  const sources = new Map<string, string>();
  const tree = file === undefined ? { version: 1 } : readTree(file, problems);

  const byVariable = new Map(leaves.map((leaf) => [leaf.variable, leaf]));
  const variables = [...byVariable.keys()].filter((variable) => variable !== null);
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('SLUIS_') || OTHER_VARIABLES.test(variable) || !text) continue;
    const leaf = byVariable.get(variable);
    if (leaf === undefined) {
      const meant = nearest(variable, variables);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      problems.push({
        path: variable,
        source: variable,
        message: `is no variable of the configuration${hint}`,
      });
      continue;
    }
    put(tree, leaf.path, typed(text, leaf.type));
    sources.set(leaf.path, variable);
  }

  for (const [path, value] of Object.entries(flags)) {
    const leaf = leaves.find((one) => one.path === path);
    if (leaf === undefined) throw new RangeError(`${path} is no value of the configuration`);
    if (value === undefined) continue;
    put(tree, path, typeof value === 'string' ? typed(value, leaf.type) : value);
    sources.set(path, 'command line');
  }

  const result = configSchema.safeParse(tree);
  if (!result.success) {
    const sourceOf = (path: string) => sources.get(path) ?? file ?? '';
    problems.push(...result.error.issues.flatMap((issue) => problemsOf(issue, sourceOf)));
  }
  if (problems.length > 0 || !result.success) throw new ConfigInvalid(problems);
  return { config: result.data };
}
