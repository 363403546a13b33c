import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inOrder } from '../../src/cli/in-order.ts';

async function* numbers(count: number): AsyncGenerator<number> {
  for (let number = 0; number < count; number += 1) yield number;
}

describe('work that is done side by side', () => {
  it('comes in the order it was asked for, and never more of it at once than is allowed', async () => {
    let [running, most] = [0, 0];
    const work = async (number: number): Promise<number> => {
      running += 1;
      most = Math.max(most, running);
      await sleep((number * 7) % 5);
      running -= 1;
      return number;
    };
    const found: number[] = [];
    for await (const number of inOrder(numbers(50), 4, work)) found.push(number);
    expect(found).toEqual(Array.from({ length: 50 }, (_, number) => number));
    expect(most).toBe(4);
  });

  it('fails in its turn, and not before what runs beside it has ended', async () => {
    let running = 0;
    const work = async (number: number): Promise<number> => {
      running += 1;
      await sleep(number === 2 ? 0 : 10);
      running -= 1;
      if (number === 2) throw new Error('the third');
      return number;
    };
    const found: number[] = [];
    const all = async (): Promise<void> => {
      for await (const number of inOrder(numbers(50), 4, work)) found.push(number);
    };
    await expect(all()).rejects.toThrow('the third');
    expect([found, running]).toEqual([[0, 1], 0]);
  });

  it('ends what runs when nobody wants more', async () => {
    let running = 0;
    const work = async (): Promise<void> => {
      running += 1;
      await sleep(5);
      running -= 1;
    };
    for await (const _ of inOrder(numbers(50), 4, work)) break;
    expect(running).toBe(0);
  });
});
