import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authorizer } from '../../src/access/api-keys.ts';
import { Unauthorized } from '../../src/access/errors.ts';
import { openWorld, type World } from '../transfer/world.ts';

const dayMs = 86_400_000;

describe('API keys', () => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld();
  });
  afterEach(() => world.close());

  const ask = (authorization: string, now = Date.now()) =>
    authorizer(world.state, () => now)(new Map([['authorization', authorization]]));

  it('speak for the organization they were made for, at once and without waiting', async () => {
    const token = await world.token('zuid');
    expect(ask(`Bearer ${token}`)).toMatchObject({ organization: 'zuid' });
    expect(ask(`bearer  ${token}`)).toMatchObject({ organization: 'zuid' });
  });

  it('are nowhere in the records, whole or in part', async () => {
    const token = await world.token('zuid');
    const bytes = world.recordBytes();
    // The look for a text that is there shows that this look can find one.
    expect(bytes.includes('Zuidlaren')).toBe(true);
    expect(bytes.includes(token)).toBe(false);
    expect(bytes.includes(token.slice('sluis_'.length, 20))).toBe(false);
    expect(bytes.includes(Buffer.from(token.slice('sluis_'.length), 'base64url'))).toBe(false);
  });

  it('have 256 random bits and a mark that scanners for leaked secrets find', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => world.token('zuid')));
    expect(new Set(tokens).size).toBe(20);
    expect(tokens.every((token) => /^sluis_[A-Za-z0-9_-]{43}$/.test(token))).toBe(true);
  });

  it('are good until their last day is over, and not a moment longer', async () => {
    const token = await world.token('zuid', 2);
    expect(ask(`Bearer ${token}`, Date.now() + 2 * dayMs - 60_000)).toMatchObject({ organization: 'zuid' });
    expect(ask(`Bearer ${token}`, Date.now() + 2 * dayMs + 1)).toEqual({ refused: 'expired-token' });
  });

  it('are refused when nobody made them, also if one character differs', async () => {
    const token = await world.token('zuid');
    const other = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
    expect(ask(`Bearer ${other}`)).toEqual({ refused: 'unknown-token' });
  });

  it.each([
    '',
    'Bearer',
    'Bearer ',
    'Basic dXNlcjpwYXNz',
    'Bearer short',
    `Bearer ${'a'.repeat(101)}`,
    `Bearer ${'a'.repeat(30)} ${'b'.repeat(30)}`,
    `Bearer ${'ä'.repeat(30)}`,
    `Bearer ${'a'.repeat(30)}, Bearer ${'b'.repeat(30)}`,
  ])('are not read from %j', (header) => {
    expect(ask(header)).toEqual({ refused: 'no-token' });
  });

  it('are asked for when there is no header', () => {
    expect(authorizer(world.state)(new Map())).toEqual({ refused: 'no-token' });
  });

  it('when refused say how to ask, and nothing of which tokens there are', () => {
    const error = new Unauthorized({ refused: 'unknown-token' });
    expect(error.code).toBe('SLUIS_ACCESS_UNAUTHORIZED');
    expect(error.headers).toEqual({ 'WWW-Authenticate': 'Bearer realm="sluis"' });
  });
});
