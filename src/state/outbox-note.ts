import { keys } from './keys.ts';
import type { Instant } from './records.ts';
import type { Transaction } from './state.ts';

/**
 * In a commit after which something has to be done with an upload: it stays in the outbox until that is done,
 * and the next start takes it up from there. Each note is another one, also within one millisecond: who has
 * done what an older one asked for must not take the newer one out.
 */
export function noteUpload(tx: Transaction, upload: string, now: Instant): void {
  tx.put(keys.outbox, upload, Math.max(now, (tx.get(keys.outbox, upload) ?? 0) + 1));
}
