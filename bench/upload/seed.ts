import { newId } from '../../src/state/ids.ts';
import { keys } from '../../src/state/keys.ts';
import type { UploadRecord } from '../../src/state/records.ts';
import type { State } from '../../src/state/state.ts';
import type { ObjectId } from '../../src/storage/storage.ts';

/** Records in one transaction. */
const BATCH = 2000;
/** Between two of them; ids sort by time. */
const APART_MS = 10;

/**
 * Writes records of uploads as a busy exchange has them: nine of ten received for a transfer, most of the others
 * received and waiting for one, and one in a hundred not received yet, of a hundred organizations.
 */
export async function seed(state: State, count: number): Promise<void> {
  const begun = Date.now() - count * APART_MS;
  for (let first = 0; first < count; first += BATCH) {
    await state.commit((tx) => {
      for (let at = first; at < Math.min(count, first + BATCH); at += 1) {
        const upload = record(at, begun + at * APART_MS);
        tx.put(keys.uploads, upload.id, upload);
      }
    });
  }
}

function record(at: number, createdAt: number): UploadRecord {
  const isReceived = at % 100 !== 0;
  const bytes = 1024 * 1024;
  return {
    id: newId(createdAt),
    organization: `organization-${(at % 100).toString()}`,
    creator: 'creator',
    content: { of: 'object', object: `u-${at.toString()}` as ObjectId },
    isPartial: false,
    length: bytes,
    ends: 'at-length',
    digest: null,
    blockCrc: 0,
    offset: isReceived ? bytes : bytes / 2,
    epoch: 1,
    from: 'mailbox-from',
    to: ['mailbox-to'],
    priority: 'routine',
    filetype: 'application/dicom',
    transfer: at % 10 === 0 ? null : newId(createdAt),
    metadata: new Uint8Array(200),
    state: isReceived ? 'received' : 'receiving',
    createdAt,
    lastByteAt: createdAt,
  };
}
