import { keys, type Table } from '../keys.ts';
import type { Migrating, Write } from './index.ts';

type Old = Readonly<Record<string, unknown>>;

/**
 * Until then every upload was one object, and ended with its last byte. Blocks were not kept: it has no ledger.
 * Those of transfers that are not decided go into the outbox, from which the follower takes them up.
 */
export function* migrateUploads(before: Migrating): Generator<Write> {
  const uploads: Table<string, Old> = { name: keys.uploads.name };
  for (const { key, value } of before.list(uploads)) {
    const { object, ...rest } = value;
    // Run once more after a kill: this one is written already.
    if (object === undefined) continue;
    const upload = {
      ...rest,
      content: { of: 'object', object },
      isPartial: false,
      ends: 'at-length',
      digest: null,
      blockCrc: null,
    };
    // Before the upload: what is written already is passed over after a kill.
    if (isUndecided(before, value.transfer)) {
      yield { table: { name: keys.outbox.name }, key, value: value.lastByteAt };
    }
    yield { table: { name: keys.uploads.name }, key, value: upload };
  }
}

function isUndecided(before: Migrating, transfer: unknown): boolean {
  return typeof transfer === 'string' && before.get(keys.transfers, transfer)?.state === 'receiving';
}
