import { type ErrorFacts, SluisError } from '../ops/error.ts';

/** The disk is full (ENOSPC) or its quota is (EDQUOT). What was synced before stays; try again when there is room. */
export class StorageFull extends SluisError {
  override readonly name = 'StorageFull';
  readonly code = 'SLUIS_STORAGE_FULL';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': '30' };
  override readonly facts: ErrorFacts;

  constructor(message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super(message, { cause });
    this.facts = facts;
  }
}

/** What was received waits to be moved on, and the disk here has no room for more. What was synced before stays. */
export class StorageBehind extends SluisError {
  override readonly name = 'StorageBehind';
  readonly code = 'SLUIS_STORAGE_BEHIND';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': '60' };
  override readonly facts: ErrorFacts;

  constructor(facts: ErrorFacts) {
    super('the object store does not keep up, and the disk in front of it is full: resume in a minute');
    this.facts = facts;
  }
}

/** The object store does not answer, or refuses us. Nothing is lost: what it has it keeps, the rest waits on the disk here. */
export class StorageUnreachable extends SluisError {
  override readonly name = 'StorageUnreachable';
  readonly code = 'SLUIS_STORAGE_UNREACHABLE';
  readonly remedy = 'retry';
  readonly headers = { 'Retry-After': '30' };
  override readonly facts: ErrorFacts;

  constructor(facts: ErrorFacts, cause: unknown) {
    super('the object store does not answer as it should: try again in half a minute', { cause });
    this.facts = facts;
  }
}

/** An object is not there, or shorter than what was recorded of it. A person should look at the disk. */
export class StorageDamaged extends SluisError {
  override readonly name = 'StorageDamaged';
  readonly code = 'SLUIS_STORAGE_DAMAGED';
  readonly remedy = 'give-up';
  override readonly facts: ErrorFacts;

  constructor(message: string, facts: ErrorFacts, cause?: unknown) {
    super(message, { cause });
    this.facts = facts;
  }
}

const fullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
/** LMDB gives the system's number instead of its name: ENOSPC, EDQUOT (Linux), and MDB_MAP_FULL. */
const fullNumbers: ReadonlySet<unknown> = new Set([28, 122, -30792]);

/** Names what a file system or LMDB threw: a full disk becomes StorageFull, all else stays as it is. */
export function storageError(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof SluisError || !('code' in thrown)) {
    return thrown;
  }
  return fullCodes.has(thrown.code) || fullNumbers.has(thrown.code) ? diskFull(thrown) : thrown;
}

/** StorageFull for a disk that turned out to be. */
export function diskFull(cause: unknown): StorageFull {
  return new StorageFull('the disk is full: free space, then resume', {}, cause);
}
