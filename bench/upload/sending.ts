import { cpuSeconds, type Helper, startHelper } from '../lib/helper.ts';
import { GiB, MiB } from './scale.ts';
import type { Subject } from './subjects.ts';

export const startSender = (): Helper => startHelper(new URL('./sender.js', import.meta.url));

/** What sending cost. */
export interface Cost {
  readonly mebibytesPerSecond: number;
  /** Of the server's process alone. */
  readonly cpuSecondsPerGiB: number;
  readonly cpuSeconds: number;
}

/**
 * Sends so many uploads of `bytes` at once, and takes them away again. Making and removing them does not count.
 */
export async function sendOnce(
  sender: Helper,
  subject: Subject,
  count: number,
  bytes: number,
): Promise<Cost> {
  const { target, pid } = subject;
  const paths = await sender.ask<string[]>('create', { target, count, bytes });
  const before = cpuSeconds(pid);
  const seconds = await sender.ask<number>('send', { target, paths, bytes });
  const cpu = cpuSeconds(pid) - before;
  await sender.ask('remove', { target, paths });
  const total = count * bytes;
  return {
    mebibytesPerSecond: total / MiB / seconds,
    cpuSecondsPerGiB: cpu / (total / GiB),
    cpuSeconds: cpu,
  };
}
