import type { State, Transaction } from '../state.ts';
import { migrateItems } from './0002-items.ts';

/** What a migration works with: a listing of what was before, and the transaction of the step. */
export interface Migrating {
  readonly list: State['list'];
  readonly tx: Transaction;
}

/**
 * One step of the schema. Steps run in order at start-up, each in one transaction together with the
 * new number, so that a kill between two steps is harmless. A step that has been released is never changed.
 */
export interface Migration {
  readonly to: number;
  readonly why: string;
  run(migrating: Migrating): void;
}

export const migrations: readonly Migration[] = [
  { to: 1, why: 'first release: the tables of keys.ts', run: () => undefined },
  {
    to: 2,
    why: 'reports, derived objects, studies, and recipes with more than a dialect',
    run: migrateItems,
  },
];

/** The schema this program writes. */
export const schemaVersion = migrations.length;
