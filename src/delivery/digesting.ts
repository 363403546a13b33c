import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeliveryRecord } from '../state/records.ts';
import { StorageDamaged } from '../storage/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { composeInstance, lendPieces, storedInstance } from '../study/composing.ts';
import { patchedCrc32 } from '../study/crc32.ts';
import type { Digest } from '../work/jobs.ts';
import type { WorkPool } from '../work/pool.ts';
import { DigestTable } from './digest-table.ts';
import { ItemNames } from './entry-names.ts';
import { checkedHeadBytesMax, digestBatchMax } from './limits.ts';
import type { TaggedInstance, Tagging } from './tagging.ts';
import { countUntagged } from './untagged.ts';

/** What has to be known of a delivery before it is offered. */
export interface Digested {
  readonly table: DigestTable;
  readonly untagged: DeliveryRecord['untagged'];
}

interface DigestingParts {
  readonly storage: Storage;
  readonly tagging: Tagging;
  readonly pool: Pick<WorkPool, 'digest'>;
}

/**
 * Names the items of a delivery and computes their digests as its mailbox gets them. What goes as it was
 * sent has the digests that it had when it came, and is not read.
 *
 * Undefined when `isStopped` says so in between. Rejects StorageDamaged when what is stored is not
 * what was uploaded, and what WorkPool.digest rejects.
 */
export async function digestDelivery(
  parts: DigestingParts,
  delivery: DeliveryRecord,
  isStopped: () => boolean,
  signal: AbortSignal,
): Promise<Digested | undefined> {
  const table = new DigestTable(delivery.of);
  const names = new ItemNames();
  const tag = parts.tagging.of(delivery);
  let untagged: DeliveryRecord['untagged'] = {};
  for (let from = 0; from < delivery.of; from += digestBatchMax) {
    if (isStopped()) {
      return undefined;
    }
    const count = Math.min(digestBatchMax, delivery.of - from);
    const batch = await Promise.all(Array.from({ length: count }, (_, at) => tag(from + at)));
    for (const { position, instance } of batch) {
      table.setName(position, names.next(instance));
    }
    untagged = countUntagged(untagged, batch);
    await digestBatch(parts, batch, table, signal);
    // What needs no reading would else keep everybody waiting.
    await nextTurn();
  }
  return isStopped() ? undefined : { table, untagged };
}

async function digestBatch(
  { storage, pool }: DigestingParts,
  batch: readonly TaggedInstance[],
  table: DigestTable,
  signal: AbortSignal,
): Promise<void> {
  const changed: TaggedInstance[] = [];
  for (const one of batch) {
    const { position, instance, edits } = one;
    const { sha256, crc32, bytes } = instance;
    if (edits.length > 0 || crc32 === null) {
      changed.push(one);
    } else {
      table.setDigest(position, { sha256, crc32, bytes });
    }
  }
  const compositions = changed.map(({ instance, edits }) => composeInstance(storedInstance(instance), edits));
  const digests = await lendPieces(storage, compositions, (lent) =>
    pool.digest(
      lent.map((pieces) => ({ pieces })),
      signal,
    ),
  );
  for (const [at, one] of changed.entries()) {
    const digest = digests[at];
    if (digest === undefined) {
      throw new Error('a worker answered fewer digests than it was asked for');
    }
    await check(storage, one, digest);
    table.setDigest(one.position, digest);
  }
}

/**
 * Holds what was read against the CRC-32 of when it came: of what is stored only the head is read once more.
 * A dataset that was inflated here is another object than the one that came.
 */
async function check(
  storage: Storage,
  { position, instance, edits }: TaggedInstance,
  digest: Digest,
): Promise<void> {
  const last = edits.at(-1);
  const headBytes = last === undefined ? 0 : last.at + last.remove;
  const { crc32, bytes } = instance;
  if (crc32 === null || instance.inflated !== null || headBytes > checkedHeadBytesMax) {
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of storage.read(instance.extents, 0, headBytes)) {
    chunks.push(Buffer.from(chunk));
  }
  if (patchedCrc32({ crc32, bytes }, Buffer.concat(chunks), edits) !== digest.crc32) {
    throw new StorageDamaged('an instance is not stored any more as it was uploaded', { position });
  }
}
