import type { Log } from '../ops/log.ts';
import { keys } from '../state/keys.ts';
import type { UploadRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { StorageDamaged } from '../storage/errors.ts';
import { lendTogether } from '../storage/lending.ts';
import type { Extent, Storage } from '../storage/storage.ts';
import { blocksOf, closedBlockCrc } from '../upload/ledger.ts';
import { WorkQueueFull, WorkStopped } from '../work/errors.ts';
import type { WorkPool } from '../work/pool.ts';
import {
  checkedBytesAtOnce,
  checkPauseMs,
  checksAtOnce,
  verifiedMsMax,
  verifiedTransfersMax,
} from './limits.ts';

interface IntegrityParts {
  readonly state: State;
  readonly storage: Pick<Storage, 'lend'>;
  readonly pool: Pick<WorkPool, 'checksum'>;
  readonly log: Log;
  readonly now?: () => number;
}

/** A run of what is stored, and the CRC-32 that it had when it was received. */
interface Known extends Extent {
  readonly upload: string;
  readonly crc32: number;
}

/**
 * Holds what is stored of a transfer against the ledger that was kept when it was received (upload/ledger.ts),
 * so that what was damaged at rest goes nowhere. What was received without a ledger passes.
 *
 * A few stretches at a time, those of all transfers in turns: a large one holds up no small one, and what is
 * being received is inspected beside it. What was verified counts for some hours.
 */
export class Integrity {
  readonly #parts: IntegrityParts;
  readonly #now: () => number;
  /** Transfer → when it was verified; the oldest first. */
  readonly #verified = new Map<string, number>();
  readonly #running = new Map<string, Promise<void>>();
  /** Where damage was found: there the next look begins, which need not read all the rest again. */
  readonly #damaged = new Map<string, Known>();
  readonly #turns: (() => void)[] = [];
  #reading = 0;
  #stopped = false;

  constructor(parts: IntegrityParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Checks that are under way: a gauge. */
  get checking(): number {
    return this.#running.size;
  }

  /** Whether `check` has nothing to do. */
  isVerified(transfer: string): boolean {
    const at = this.#verified.get(transfer);
    return at !== undefined && this.#now() - at < verifiedMsMax;
  }

  /**
   * Reads all that was uploaded for a transfer, once however many ask. Rejects StorageDamaged, which names
   * upload and place; WorkStopped; and what lending and the workers reject.
   */
  check(transfer: string): Promise<void> {
    if (this.isVerified(transfer)) {
      return Promise.resolve();
    }
    const running = this.#running.get(transfer) ?? this.#begin(transfer);
    this.#running.set(transfer, running);
    return running;
  }

  /** Cuts what is under way: the next start begins anew. */
  stop(): void {
    this.#stopped = true;
  }

  #begin(transfer: string): Promise<void> {
    return this.#check(transfer).finally(() => this.#running.delete(transfer));
  }

  async #check(transfer: string): Promise<void> {
    const suspect = this.#damaged.get(transfer);
    if (suspect !== undefined) {
      await this.#inTurn(() => this.#verify(transfer, [suspect]));
      this.#damaged.delete(transfer);
    }
    for (const stretch of stretchesOf(this.#known(transfer))) {
      await this.#inTurn(() => this.#verify(transfer, stretch));
    }
    this.#verified.delete(transfer);
    this.#verified.set(transfer, this.#now());
    forgetOldest(this.#verified, verifiedTransfersMax);
  }

  async #verify(transfer: string, stretch: readonly Known[]): Promise<void> {
    const { storage, pool } = this.#parts;
    const lists = stretch.map((known) => [known]);
    const answers = await lendTogether(storage, lists, (lent) =>
      pool.checksum(lent.map((ranges) => ({ ranges }))),
    ).catch((thrown: unknown) => {
      // Not there, or too short.
      throw thrown instanceof StorageDamaged
        ? this.#tell(transfer, stretch[0]?.upload ?? '', thrown)
        : thrown;
    });
    const at = stretch.findIndex(({ crc32 }, index) => answers[index]?.crc32 !== crc32);
    const broken = stretch[at];
    if (broken === undefined) {
      return;
    }
    this.#damaged.set(transfer, broken);
    forgetOldest(this.#damaged, verifiedTransfersMax);
    const { upload, start, bytes } = broken;
    throw this.#tell(
      transfer,
      upload,
      new StorageDamaged(
        `upload ${upload} is not stored any more as it was received, somewhere in its bytes ${start} to ${start + bytes}: put them back, or send it again`,
        { upload, start, bytes },
      ),
    );
  }

  #tell(transfer: string, upload: string, error: StorageDamaged): StorageDamaged {
    this.#parts.log.error('storage.damaged', { transfer, upload, error });
    return error;
  }

  /** Every stretch waits behind those that others have asked for before it. */
  async #inTurn(read: () => Promise<void>): Promise<void> {
    if (this.#reading >= checksAtOnce) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    } else {
      this.#reading += 1;
    }
    try {
      await this.#patiently(read);
    } finally {
      const next = this.#turns.shift();
      if (next === undefined) {
        this.#reading -= 1;
      } else {
        next();
      }
    }
  }

  /** That the workers have much to do says nothing about what is stored. */
  async #patiently(read: () => Promise<void>): Promise<void> {
    for (;;) {
      if (this.#stopped) {
        throw new WorkStopped();
      }
      try {
        return await read();
      } catch (thrown) {
        if (!(thrown instanceof WorkQueueFull)) {
          throw thrown;
        }
        await new Promise((resolve) => setTimeout(resolve, checkPauseMs));
      }
    }
  }

  *#known(transfer: string): Generator<Known> {
    const { state } = this.#parts;
    for (const id of state.get(keys.transfers, transfer)?.uploads ?? []) {
      const upload = state.get(keys.uploads, id);
      for (const holder of upload === undefined ? [] : this.#holdersOf(upload)) {
        const { content } = holder;
        if (content.of === 'object') {
          for (const block of blocksOf(state, holder)) {
            yield { ...block, object: content.object, upload: holder.id };
          }
        }
      }
    }
  }

  /** The uploads whose objects hold its bytes: itself, or its parts. */
  *#holdersOf(upload: UploadRecord): Generator<Holder> {
    if (upload.content.of === 'object') {
      yield upload;
      return;
    }
    for (const part of upload.content.parts) {
      const { upload: id, object, bytes } = part;
      const record = this.#parts.state.get(keys.uploads, id);
      if (record !== undefined) {
        yield record;
      } else if (bytes !== null) {
        const blockCrc = closedBlockCrc(this.#parts.state, id, bytes);
        yield { id, offset: bytes, blockCrc, content: { of: 'object', object } };
      }
    }
  }
}

/** What the blocks of an object are known by. */
type Holder = Pick<UploadRecord, 'id' | 'offset' | 'blockCrc' | 'content'>;

/** In their order, as many as are read together. */
function* stretchesOf(all: Iterable<Known>): Generator<Known[]> {
  let stretch: Known[] = [];
  let bytes = 0;
  for (const known of all) {
    stretch.push(known);
    bytes += known.bytes;
    if (bytes >= checkedBytesAtOnce) {
      yield stretch;
      stretch = [];
      bytes = 0;
    }
  }
  if (stretch.length > 0) {
    yield stretch;
  }
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) {
    map.delete(oldest);
  }
}
