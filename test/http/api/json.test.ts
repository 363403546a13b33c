import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseJson } from '../../../src/http/api/json.ts';
import { jsonDepthMax, jsonValuesMax } from '../../../src/http/api/limits.ts';
import { type ApiWorld, openApiWorld } from './api-world.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const list = (values: number): string => `[${'0,'.repeat(values - 1)}0]`;

describe('a JSON body', () => {
  it('is what JSON.parse makes of it, whatever it is', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        expect(parseJson(bytes(text), 1_000_000)).toEqual(JSON.parse(text));
      }),
      { interruptAfterTimeLimit: Number(process.env.FUZZ_SECONDS ?? 2) * 1000 },
    );
  });

  it('may begin with a byte order mark', () => {
    expect(parseJson(bytes('\ufeff{"a":1}'), 10)).toEqual({ a: 1 });
  });

  it.each(['', '{', '"', '"\\', '[1', '{"a":1}}', 'NaN', '{"a":"\\"}', '\0'])(
    'is refused when it is %j',
    (text) => {
      expect(() => parseJson(bytes(text), 10)).toThrow('it is not JSON');
    },
  );

  it('has a limit for its values, however they are nested, before anything is made of them', () => {
    expect(parseJson(bytes(list(9)), 10)).toHaveLength(9);
    const objects = `[${'{},'.repeat(5)}{}]`;
    for (const text of [list(11), objects, `{"a":${list(10)}}`]) {
      expect(() => parseJson(bytes(text), 10)).toThrow('more than 10 values');
    }
  });

  it('has a limit for its depth, and does not take what stands in a string for nesting or values', () => {
    expect(parseJson(bytes(nested(jsonDepthMax)), 100)).toBeDefined();
    expect(() => parseJson(bytes(nested(jsonDepthMax + 1)), 100)).toThrow('nested deeper');
    const text = `${nested(50)},{{{\\"[[[`;
    expect(parseJson(bytes(`{"remark":"${text}"}`), 2)).toEqual({ remark: JSON.parse(`"${text}"`) });
  });
});

describe('the JSON API', () => {
  let world: ApiWorld;

  beforeAll(async () => {
    world = await openApiWorld();
  });
  afterAll(() => world.close());

  const ask = (method: string, path: string, body?: string) =>
    world.api.request(path, {
      method,
      headers: { authorization: `Bearer ${world.tokens.zuid}` },
      ...(body === undefined ? {} : { body }),
    });

  it('refuses more values than a request has, and takes a list as long as a transfer may be', async () => {
    const refused = await ask('POST', '/v1/transfers', `{"to":${list(jsonValuesMax + 1)}}`);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ code: 'SLUIS_REQUEST_INVALID' });
    const { id } = await world.open();
    const instances = Array.from({ length: 5 }, (_, at) => ({
      sopInstanceUid: `1.2.${at.toString()}`,
      bytes: 1,
      sha256: 'ab'.repeat(32),
    }));
    const path = `/v1/transfers/${id}/manifest`;
    expect((await ask('PUT', path, JSON.stringify({ instances }))).status).toBe(200);
  });

  it.each([
    ['GET', '/v1/transfers/NAME', undefined],
    ['PUT', '/v1/transfers/NAME/manifest', '{"instances":[]}'],
    ['GET', '/v1/mailboxes/NAME/inbox', undefined],
    ['GET', '/v1/deliveries/NAME', undefined],
    ['POST', '/v1/deliveries/NAME/acknowledge', '{"items":[]}'],
  ])('knows nothing of a name that is longer than any of ours: %s %s', async (method, path, body) => {
    for (const name of ['a'.repeat(129), 'a'.repeat(8_000), '%F0%9F%92%A9'.repeat(600)]) {
      const { status } = await ask(method, path.replace('NAME', name), body);
      expect([400, 404]).toContain(status);
    }
    expect(world.lines.filter(({ event }) => event === 'api.failed')).toEqual([]);
  });
});
