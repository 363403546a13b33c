import type { DeliveryRecord } from '../state/records.ts';
import type { TaggedInstance } from './tagging.ts';

/** Adds those items that went as they were sent though the recipe changes them, by why. */
export function countUntagged(
  counts: DeliveryRecord['untagged'],
  items: readonly Pick<TaggedInstance, 'refused'>[],
): DeliveryRecord['untagged'] {
  const sums: Record<string, number> = { ...counts };
  for (const { refused } of items) {
    if (refused !== null) {
      sums[refused] = (sums[refused] ?? 0) + 1;
    }
  }
  return sums;
}
