import type { Key, Table } from '../keys.ts';
import type { State } from '../state.ts';
import { migrateItems } from './0002-items.ts';
import { migrateUploads } from './0003-uploads.ts';

/** What a migration reads: what was before, and what it wrote itself. */
export type Migrating = Pick<State, 'get' | 'list'>;

/** One record to write. */
export interface Write {
  readonly table: Table<Key, unknown>;
  readonly key: Key;
  readonly value: unknown;
}

/**
 * One step of the schema. Steps run in order at start-up, and a step that has been released is never changed.
 *
 * What it yields is committed in pieces, since the records of an exchange do not fit into memory, and the new
 * number behind them. After a kill in between it runs again, over records of which some are written already:
 * it has to come to the same then.
 */
export interface Migration {
  readonly to: number;
  readonly why: string;
  run(migrating: Migrating): Iterable<Write>;
}

export const migrations: readonly Migration[] = [
  { to: 1, why: 'first release: the tables of keys.ts', run: () => [] },
  {
    to: 2,
    why: 'reports, derived objects, studies, and recipes with more than a dialect',
    run: migrateItems,
  },
  { to: 3, why: 'uploads of several objects, with digests, and an outbox', run: migrateUploads },
];

/** The schema this program writes. */
export const schemaVersion = migrations.length;
