import { setImmediate as nextTurn } from 'node:timers/promises';
import { reportName } from '../state/item-name.ts';
import { keys } from '../state/keys.ts';
import type { DeliveryRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { DigestTable } from './digest-table.ts';
import { AcknowledgementInvalid } from './errors.ts';
import { type Entry, entry } from './ledger.ts';
import { instancesPerTurn } from './limits.ts';
import { selectionOf } from './selection.ts';
import { twinsOf } from './twins.ts';

/** What the receiver says of one item: an instance, or a report, which is named by the SHA-256 it was offered with. */
export interface Acknowledged {
  readonly sopInstanceUid?: string | undefined;
  readonly report?: string | undefined;
  /** Hexadecimal SHA-256 of what it holds. */
  readonly sha256: string;
  readonly status: 'stored' | 'refused';
}

/**
 * What a receiver's word makes of the ledger: position → entry.
 *
 * Rejects AcknowledgementInvalid when it names what was not offered, or holds something else.
 */
export async function acknowledgedEntries(
  state: State,
  delivery: DeliveryRecord,
  digests: DigestTable,
  items: readonly Acknowledged[],
): Promise<ReadonlyMap<number, Entry>> {
  const positionsOf = lookUp(state, delivery, digests);
  const said = new Map<number, Entry>();
  let looked = 0;
  for (const { sopInstanceUid = '', report, sha256: given, status } of items) {
    const sha256 = given.toLowerCase();
    const name = report === undefined ? sopInstanceUid : reportName(report.toLowerCase());
    const positions = positionsOf(name, sha256);
    const [first] = positions;
    if (first === undefined) {
      const what = report === undefined ? 'SOP Instance UID' : 'report';
      throw new AcknowledgementInvalid(`an acknowledged ${what} is not in this delivery`);
    }
    if (status === 'stored' && digests.get(first).sha256 !== sha256) {
      throw new AcknowledgementInvalid(
        'the SHA-256 of an acknowledged item is not that of what was offered: fetch it again',
      );
    }
    for (const position of positions) {
      // What it once said it holds it does not refuse further on in the list.
      if (said.get(position) !== entry.held) {
        said.set(position, status === 'stored' ? entry.held : entry.refused);
      }
      if (++looked % instancesPerTurn === 0) {
        await nextTurn();
      }
    }
  }
  return said;
}

/**
 * An acute transfer may have two different instances with one UID: the SHA-256 tells which is meant. It
 * means both where their patches make them equal; the receiver then holds both as one.
 */
function lookUp(
  state: State,
  delivery: DeliveryRecord,
  digests: DigestTable,
): (name: string, sha256: string) => readonly number[] {
  const { transfer } = delivery;
  const selection = selectionOf(state, delivery);
  const twins = twinsOf(state, transfer);
  const known = new Map<string, Map<string, number[]>>();
  return (name, sha256) => {
    const number = state.get(keys.instanceNumbers, [transfer, name]);
    const all = number === undefined ? [] : [number, ...twins(name, Number.POSITIVE_INFINITY)];
    const positions = all.flatMap((one) => selection.positionOf(one) ?? []);
    const [first] = positions;
    if (first === undefined || positions.length === 1) {
      return positions;
    }
    let byDigest = known.get(name);
    if (byDigest === undefined) {
      byDigest = new Map<string, number[]>();
      for (const position of positions) {
        const digest = digests.get(position).sha256;
        byDigest.set(digest, [...(byDigest.get(digest) ?? []), position]);
      }
      known.set(name, byDigest);
    }
    return byDigest.get(sha256) ?? [first];
  };
}
