import { createHash } from 'node:crypto';
import type { DeliveryRecord } from '../state/records.ts';
import { Composition, storedInstance } from '../study/composing.ts';
import type { Layout } from '../study/layout.ts';
import { PackageLayout } from '../study/layout.ts';
import { packageType } from '../study/multipart.ts';
import { ZipLayout } from '../study/zip-layout.ts';
import type { DigestTable } from './digest-table.ts';
import type { Selection } from './selection.ts';
import type { Tagging } from './tagging.ts';

/** How the items of a delivery are put together: a package (multipart/related), or an archive. */
export type Packing = 'multipart' | 'zip';

/** What a mailbox gets: any range of it is the same bytes at any time. */
export function contentOf(
  tagging: Tagging,
  delivery: DeliveryRecord,
  digests: DigestTable,
  packing: Packing,
): Composition {
  const tag = tagging.of(delivery);
  return new Composition({
    layout: layoutOf(delivery, digests, packing),
    bytes: Float64Array.from({ length: delivery.of }, (_, position) => digests.bytesOf(position)),
    instance: async (position) => {
      const { instance, edits } = await tag(position);
      return { ...storedInstance(instance), edits };
    },
  });
}

export function contentTypeOf(delivery: DeliveryRecord, packing: Packing): string {
  return packing === 'zip' ? 'application/zip' : packageType(boundaryOf(delivery));
}

/** Names delivery, recipe, selection and packing: RFC 9110, 8.8.3. */
export function etagOf({ id, recipe }: DeliveryRecord, { bitmap }: Selection, packing: Packing): string {
  // Sealed, so it says nothing of the number; and always the same, since it is stored.
  const bsn = recipe.bsn === null ? null : Buffer.from(recipe.bsn).toString('hex');
  const selection = bitmap === null ? 'all' : shortDigest(bitmap);
  return `"${id}.${shortDigest(JSON.stringify({ ...recipe, bsn }))}.${selection}.${packing}"`;
}

function layoutOf(delivery: DeliveryRecord, digests: DigestTable, packing: Packing): Layout {
  const { of, queuedAt } = delivery;
  if (packing === 'zip') {
    return new ZipLayout(of, digests, queuedAt);
  }
  return new PackageLayout(
    boundaryOf(delivery),
    of,
    (position) => digests.bytesOf(position),
    (position) => digests.mediaTypeOf(position),
  );
}

/** Random enough not to occur in the data (the id has 62 random bits and the time), and always the same. */
function boundaryOf({ id }: DeliveryRecord): string {
  return `sluis-${createHash('sha256').update(`boundary ${id}`).digest('hex').slice(0, 32)}`;
}

function shortDigest(of: string | Uint8Array): string {
  return createHash('sha256').update(of).digest('hex').slice(0, 16);
}
