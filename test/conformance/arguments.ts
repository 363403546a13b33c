import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { HeaderList } from './answer.ts';

export const usage = `npm run conformance -- --url URL [options]

  --url [NAME=]URL            where uploads are created; more than once: one server after another
  --token-file [NAME=]FILE    a bearer token, for all servers or the one of that name
  --header [NAME=]'N: value'  one more header of each request
  --metadata 'key base64'     an Upload-Metadata that each creation needs
  --only PATTERN              only checks whose id holds PATTERN, a regular expression
  --list                      says what the checks are, and asks nobody
  --bytes N                   of an ordinary upload (65536)
  --wait SECONDS              for one answer (10)
  --json FILE                 all that was seen
  --markdown FILE             the servers side by side
  --insecure                  takes a certificate that nobody has signed

Exit code: 0 when no MUST fails, 1 when one does, 2 when it could not be tested.`;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Target {
  readonly name: string;
  readonly url: URL;
  readonly headers: HeaderList;
}

export interface Arguments {
  readonly targets: readonly Target[];
  readonly metadata: string | undefined;
  readonly only: RegExp | undefined;
  readonly list: boolean;
  readonly bytes: number;
  readonly waitMs: number;
  readonly json: string | undefined;
  readonly markdown: string | undefined;
  readonly insecure: boolean;
}

const BYTES_MIN = 1024;
const BYTES_MAX = 64 * 1024 * 1024;

/** Throws UsageError with a sentence. */
export function argumentsOf(args: readonly string[]): Arguments {
  const values = parsed(args);
  const bytes = Number(values.bytes);
  if (!Number.isSafeInteger(bytes) || bytes < BYTES_MIN || bytes > BYTES_MAX)
    throw new UsageError(`--bytes takes a whole number from ${String(BYTES_MIN)} to ${String(BYTES_MAX)}`);
  const wait = Number(values.wait);
  if (!(wait > 0 && wait <= 600)) throw new UsageError('--wait takes seconds, up to 600');
  if (values.url.length === 0 && !values.list) throw new UsageError('--url is missing');
  return {
    ...values,
    targets: targetsOf(values),
    only: values.only === undefined ? undefined : patternOf(values.only),
    bytes,
    waitMs: wait * 1000,
  };
}

function parsed(args: readonly string[]) {
  const many = { type: 'string', multiple: true, default: [] as string[] } as const;
  const one = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        url: many,
        'token-file': many,
        header: many,
        metadata: one,
        only: one,
        list: flag,
        bytes: { ...one, default: '65536' },
        wait: { ...one, default: '10' },
        json: one,
        markdown: one,
        insecure: flag,
      },
    });
    return { metadata: undefined, only: undefined, json: undefined, markdown: undefined, ...values };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function targetsOf(values: ReturnType<typeof parsed>): Target[] {
  const named = values.url.map((given): { name: string; url: URL } => {
    const [, name, address = given] = /^(?:(?!https?:)([^=]+)=)?(.*)$/s.exec(given) ?? [];
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol))
      throw new UsageError(`--url takes http://… or https://…, not ${JSON.stringify(given)}`);
    const url = new URL(address);
    return { name: name ?? url.host, url };
  });
  const names = named.map(({ name }) => name);
  if (new Set(names).size < names.length) throw new UsageError('two --url have one name: --url NAME=URL');
  const headers = [
    ...values['token-file'].map((given): [string, [string, string]] => {
      const [name, file] = forOne(given, names);
      return [name, ['Authorization', `Bearer ${tokenIn(file)}`]];
    }),
    ...values.header.map((given): [string, [string, string]] => {
      const [name, field] = forOne(given, names);
      const [, key, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)$/.exec(field) ?? [];
      if (key === undefined || value === undefined)
        throw new UsageError(`--header takes 'Name: value', not ${JSON.stringify(field)}`);
      return [name, [key, value]];
    }),
  ];
  return named.map(({ name, url }) => ({
    name,
    url,
    headers: headers.filter(([of]) => of === '' || of === name).map(([, field]) => field),
  }));
}

/** What is before `=`, when that is a server's name; '' for all of them. */
function forOne(given: string, names: readonly string[]): [name: string, rest: string] {
  const name = names.find((each) => given.startsWith(`${each}=`));
  return name === undefined ? ['', given] : [name, given.slice(name.length + 1)];
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`--token-file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new UsageError(`--only takes a regular expression, not ${JSON.stringify(text)}`);
  }
}
