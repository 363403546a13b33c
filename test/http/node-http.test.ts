import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Exchange } from '../../src/http/exchange.ts';
import { exchangeContract } from './exchange.contract.ts';
import { subject, until } from './subject.ts';
import { wireContract } from './wire.contract.ts';

exchangeContract('node-http');
wireContract('node-http');

// uWS cuts a peer that does not wait for its answer.
it('node-http lets an answer wait for the one before it, however long that takes', async ({
  onTestFinished,
}) => {
  const handler = async (exchange: Exchange) => {
    if (exchange.path === '/slow') await sleep(2_000);
    exchange.answer({ status: 200, body: exchange.path });
  };
  const { connect } = await subject('node-http', onTestFinished, handler, { answerIdleMs: 300 });
  const client = await connect();
  await client.send('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET /fast HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const path of ['/slow', '/fast']) expect((await client.answer())?.body.toString()).toBe(path);
});

// uWS buffers small answers and has a timer of its own for them.
it('node-http cuts a peer that asks on and on and reads none of the answers', async ({ onTestFinished }) => {
  const exchanges: Exchange[] = [];
  const handler = (exchange: Exchange) => {
    exchanges.push(exchange);
    exchange.answer({ status: 200, body: Buffer.alloc(16 * 1024) });
  };
  const { connect } = await subject('node-http', onTestFinished, handler, { answerIdleMs: 500 });
  const client = await connect();
  await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1_000));
  await until(() => exchanges.some(({ gone }) => gone.aborted));
});
