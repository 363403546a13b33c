import { expect, it } from 'vitest';
import { router } from '../../src/http/router.ts';
import { preferred } from './kinds.ts';
import { subject } from './subject.ts';

it('gives a request to the first route whose segments its path begins with', async ({ onTestFinished }) => {
  const says = (body: string) => ({
    handler: (exchange: { answer(a: object): void }) => exchange.answer({ status: 200, body }),
  });
  const { connect } = await subject(
    preferred,
    onTestFinished,
    router([
      { prefix: '/v1/uploads', ...says('uploads') },
      { prefix: '/v1/deliveries/*/content', ...says('content') },
      { prefix: '/v1', ...says('api') },
    ]),
  );
  const client = await connect();
  const table = [
    ['/v1/uploads', 'uploads'],
    ['/v1/uploads/', 'uploads'],
    ['/v1/uploads/7', 'uploads'],
    ['/v1/uploadsX', 'api'],
    ['/v1/uploads%2F7', 'api'],
    ['/v1/deliveries/7/content', 'content'],
    ['/v1/deliveries/7', 'api'],
    ['/v1/deliveries//content', 'api'],
    ['/v2', 404],
    ['/', 404],
  ] as const;
  for (const [path, expected] of table) {
    await client.head(`GET ${path}`);
    const answer = await client.answer();
    expect([path, answer?.status === 200 ? answer.body.toString() : answer?.status]).toEqual([
      path,
      expected,
    ]);
  }
});
