import type { RootDatabase } from 'lmdb';

/**
 * One step of the schema. Steps run in order at start-up, each in one transaction together with the
 * new number, so that a kill between two steps is harmless. A step that has been released is never changed.
 */
export interface Migration {
  readonly to: number;
  readonly why: string;
  run(root: RootDatabase): void;
}

export const migrations: readonly Migration[] = [
  { to: 1, why: 'first release: the tables of keys.ts', run: () => undefined },
];

/** The schema this program writes. */
export const schemaVersion = migrations.length;
