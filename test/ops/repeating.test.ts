import { afterEach, describe, expect, it } from 'vitest';
import type { Log, LogFacts } from '../../src/ops/log.ts';
import { Repeating } from '../../src/ops/repeating.ts';
import { until } from '../support/until.ts';

const lines: [string, LogFacts | undefined][] = [];
const write = (event: string, facts?: LogFacts): void => void lines.push([event, facts]);
const log: Log = { debug: write, info: write, warn: write, error: write };

describe('what is done again and again', () => {
  const parts: Repeating[] = [];
  const repeating = (run: () => Promise<void>): Repeating => {
    const part = new Repeating({ name: 'sweep', everyMs: 1, log, run });
    parts.push(part);
    return part;
  };
  afterEach(async () => {
    await Promise.all(parts.splice(0).map((part) => part.stop(AbortSignal.abort())));
    lines.length = 0;
  });

  it('never runs twice at once, and goes on after a failure, which it tells', async () => {
    let running = 0;
    let most = 0;
    let turns = 0;
    await repeating(async () => {
      running++;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
      if (++turns === 2) throw new Error('a fault');
    }).start();
    await until(
      () => turns > 3,
      () => turns,
    );
    expect(most).toBe(1);
    expect(lines).toMatchObject([['repeating.failed', { reason: 'sweep', error: { message: 'a fault' } }]]);
  });

  it('lets its turn end when it is stopped, and takes no other', async () => {
    let turns = 0;
    let end = (): void => undefined;
    const part = repeating(() => {
      turns++;
      return new Promise((resolve) => {
        end = resolve;
      });
    });
    await part.start();
    await until(
      () => turns === 1,
      () => turns,
    );
    let isStopped = false;
    const stopping = part.stop(new AbortController().signal).then(() => {
      isStopped = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(isStopped).toBe(false);
    end();
    await stopping;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(turns).toBe(1);
  });

  it('takes no turn before its time', async () => {
    let turns = 0;
    const run = async (): Promise<void> => void turns++;
    const part = new Repeating({ name: 'late', firstMs: 60_000, everyMs: 1, log, run });
    await part.start();
    await new Promise((resolve) => setTimeout(resolve, 10));
    await part.stop(new AbortController().signal);
    expect(turns).toBe(0);
  });

  it('waits no longer than until the deadline', async () => {
    let turns = 0;
    const part = repeating(() => {
      turns++;
      return new Promise(() => undefined);
    });
    await part.start();
    await until(
      () => turns === 1,
      () => turns,
    );
    const deadline = new AbortController();
    const stopping = part.stop(deadline.signal);
    deadline.abort();
    await stopping;
  });
});
