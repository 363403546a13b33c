import { setTimeout as sleep } from 'node:timers/promises';
import { reasons } from '../transfer/reasons.ts';
import { countText, sizeText } from './amount.ts';
import { type TransferAnswer, transferAnswer } from './answers.ts';
import type { ExchangeClient } from './client.ts';
import { StillChecking } from './errors.ts';
import { POLL_MS_FIRST, POLL_MS_MAX } from './limits.ts';
import { firstLines } from './table.ts';

/** Files set aside that are named. */
const SET_ASIDE_SHOWN = 20;

/** The exchange has not made up its mind. */
export function isOpen({ state }: TransferAnswer): boolean {
  return state === 'receiving' || state === 'checking';
}

/** It goes no further by itself. */
export function isEnded({ state }: TransferAnswer): boolean {
  return ['delivered', 'failed', 'rejected', 'recalled', 'expired'].includes(state);
}

/** It was not sent to its end in time, and went to nobody. */
export function hasExpiredUnsent({ state, deliveries }: TransferAnswer): boolean {
  return state === 'expired' && deliveries.length === 0;
}

/** It will not arrive as it is: a person has to do something. Exit code 3. */
export function isStopped({ state }: TransferAnswer): boolean {
  return ['held', 'failed', 'rejected', 'recalled', 'expired'].includes(state);
}

export async function transferOf(client: ExchangeClient, id: string): Promise<TransferAnswer> {
  return await client.json(transferAnswer, { method: 'GET', path: `/v1/transfers/${id}` });
}

/**
 * Asks the exchange until `done`, ever less often. Throws StillChecking when nothing about the transfer
 * changes for `stallMs`: the exchange goes on, only the waiting ends.
 */
export async function waitFor(
  client: ExchangeClient,
  id: string,
  done: (transfer: TransferAnswer) => boolean,
  stallMs: number,
): Promise<TransferAnswer> {
  let seen = '';
  let changedAt = performance.now();
  for (let pauseMs = POLL_MS_FIRST; ; pauseMs = Math.min(2 * pauseMs, POLL_MS_MAX)) {
    const transfer = await transferOf(client, id);
    if (done(transfer)) return transfer;
    const { state, instances, bytes } = transfer;
    // Not its attempts: one that fails for ever is no change.
    const deliveries = transfer.deliveries.map((one) => [one.mailbox, one.state, one.delivered]);
    const now = JSON.stringify([state, instances, bytes, deliveries]);
    if (now !== seen) changedAt = performance.now();
    seen = now;
    if (performance.now() - changedAt > stallMs) {
      throw new StillChecking(
        `transfer ${id} is still ${state}, and nothing changed for ${Math.round(stallMs / 1000).toString()} s. ` +
          `The exchange goes on with what it has; look again with: sluis transfers show ${id}`,
      );
    }
    await sleep(pauseMs);
  }
}

/** What a state means, for a person who does not know the machine. */
const meanings: Readonly<Record<string, string>> = {
  receiving: 'on its way to the exchange',
  checking: 'being checked by the exchange',
  held: 'held: a person has to look at it',
  rejected: 'rejected: it cannot be delivered',
  ready: 'complete and checked, waiting for its receiver',
  delivering: 'on its way to its receiver',
  delivered: 'delivered',
  failed: 'failed: its receiver did not take it',
  recalled: 'recalled',
  expired: 'expired: it waited too long',
};

export function stateText({ state }: TransferAnswer): string {
  return meanings[state] ?? state;
}

/** `transfer ID is delivered; 3 instances, 1 report, 1.2 MB` */
export function summaryOf(transfer: TransferAnswer): string {
  const { id, instances, reports, bytes } = transfer;
  const counted = [
    ...(instances > 0 || reports === 0 ? [countText(instances, 'instance')] : []),
    ...(reports > 0 ? [countText(reports, 'report')] : []),
    sizeText(bytes),
  ];
  return `transfer ${id} is ${stateText(transfer)}; ${counted.join(', ')}`;
}

/** What of a ZIP goes to no receiver: a heading, and a line for each with why. Empty when all of it goes. */
export function setAsideLines({ setAside }: TransferAnswer): string[] {
  const { count = 0, items = [] } = setAside ?? {};
  if (count === 0) return [];
  const lines = items.map(({ name, why, en }) => `${name}: ${en ?? why}`);
  return [
    `${countText(count, 'file')} in the ZIP ${count === 1 ? 'goes' : 'go'} to no receiver:`,
    ...firstLines(lines, SET_ASIDE_SHOWN, count).map((line) => `  ${line}`),
  ];
}

/** Why, and what to do: a line for each reason. */
export function reasonLines(transfer: TransferAnswer): string[] {
  return transfer.reasons.map((code) => {
    const reason = Object.entries(reasons).find(([known]) => known === code)?.[1];
    return reason === undefined ? `  ${code}` : `  ${code}: ${reason.en} ${reason.next.en}`;
  });
}

const advice: Readonly<Record<string, string>> = {
  held: 'It is not delivered as it is. Repair it at its source and send that: it becomes a new transfer.',
  rejected: 'Repair it at its source and send that, or send the same again with --again.',
  failed: 'Ask the receiver what was refused; then send it again with --again.',
  recalled: 'It was taken back on request. To send it after all, use --again.',
  expired: 'To send it once more, use --again.',
};

/** What to do about a transfer that is stopped; '' when it is not. */
export function adviceFor({ state }: TransferAnswer): string {
  return advice[state] ?? '';
}
