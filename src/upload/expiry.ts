import type { Instant, UploadRecord } from '../state/records.ts';
import type { UploadSettings } from './limits.ts';

/**
 * When an upload expires by itself; null when it does not. Unfinished ones so long after their last byte,
 * and so long after their creation at most (tus 1.0.0, Expiration). A received one belongs to its transfer,
 * or, as a part, to a final upload (`isHeld`); one that nobody claims is not kept for ever.
 */
export function expiryOf(
  { state, transfer, content, lastByteAt, createdAt }: UploadRecord,
  { expiryMs, expiryMsMax, unclaimedMs }: UploadSettings,
  isHeld: boolean,
): Instant | null {
  if (state === 'received') {
    return transfer !== null || isHeld ? null : lastByteAt + unclaimedMs;
  }
  if (content.of === 'parts') {
    // Its parts expire; while they do not, it may become whole.
    return createdAt + expiryMsMax;
  }
  return Math.min(lastByteAt + expiryMs, createdAt + expiryMsMax);
}
