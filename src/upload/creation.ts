import type { Principal } from '../access/principal.ts';
import type { Log } from '../ops/log.ts';
import { newId } from '../state/ids.ts';
import { keys } from '../state/keys.ts';
import type { Instant, UploadRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { storageError } from '../storage/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { holdParts, join } from './concatenation.ts';
import type { UploadHooks } from './hooks.ts';
import type { Journal } from './journal.ts';
import type { UploadSettings } from './limits.ts';
import { createProgress } from './machine.ts';
import { uploadsCreated } from './metrics.ts';
import { newUploadObject } from './object.ts';
import type { OpenUploads } from './open-uploads.ts';
import type { CreateRequest } from './requests.ts';

export interface CreationParts {
  readonly state: State;
  readonly storage: Pick<Storage, 'create' | 'remove'>;
  readonly log: Log;
  readonly settings: UploadSettings;
  readonly hooks: Pick<UploadHooks, 'priorityOf' | 'claims'>;
  readonly open: OpenUploads;
  readonly journal: Journal;
  readonly now: () => Instant;
}

/** How an upload comes to be: let in, given an object or joined from parts, recorded. */
export class Creation {
  readonly #parts: CreationParts;

  constructor(parts: CreationParts) {
    this.#parts = parts;
  }

  /** As Uploads.create. */
  async create(principal: Principal, request: CreateRequest): Promise<UploadRecord> {
    const { id = newId(), concat, ...told } = request;
    const { bytesMax } = this.#parts.settings;
    const isPartial = concat?.of === 'partial';
    const final = concat?.of === 'final' ? concat.parts : undefined;
    const header = concat?.of === 'final' ? (concat.header ?? null) : null;
    const joined = final && join(this.#parts.state, principal.organization, final);
    const length = joined?.length ?? request.length;
    const progress = createProgress({ ...told, length }, bytesMax);
    const object = joined === undefined ? newUploadObject() : undefined;
    if (object !== undefined) {
      await this.#parts.open.admit(
        id,
        principal.organization,
        this.#parts.hooks.priorityOf(request),
        length ?? 0,
      );
    } else if (joined?.isWhole === false) {
      this.#parts.open.admitFinal(id, principal.organization);
    }
    try {
      if (object !== undefined) {
        await this.#parts.storage.create(object);
      }
      const at = this.#parts.now();
      const upload = await this.#parts.state.commit((tx) => {
        const content = object === undefined ? undefined : ({ of: 'object', object } as const);
        // Again, in the commit: a part may have gone, or become whole, meanwhile.
        const latest = final && join(tx, principal.organization, final);
        const isWhole = latest?.isWhole ?? false;
        const made: UploadRecord = {
          ...told,
          ...progress,
          ...(isWhole ? { offset: latest?.length ?? 0, state: 'received' } : {}),
          id,
          content: content ?? { of: 'parts', parts: latest?.parts ?? [], header },
          isPartial,
          // Its final upload belongs to one: what a part says of that was checked by nobody.
          transfer: isPartial ? null : told.transfer,
          blockCrc: this.#parts.settings.ledger && content !== undefined ? 0 : null,
          organization: principal.organization,
          creator: principal.key,
          createdAt: at,
          lastByteAt: at,
        };
        // A final one of parts that are not whole yet is not received, though it may have no bytes.
        const record = final !== undefined && !isWhole ? { ...made, state: 'receiving' as const } : made;
        tx.put(keys.uploads, id, record);
        holdParts(tx, record);
        if (!isPartial) {
          this.#parts.hooks.claims(tx, record);
        }
        // With the transfer that it has been given.
        const claimed = tx.get(keys.uploads, id) ?? record;
        if (claimed.state === 'received') {
          this.#parts.journal.received(tx, claimed);
        }
        return claimed;
      });
      uploadsCreated.add(1);
      this.#parts.journal.track(upload);
      if (upload.state === 'received') {
        this.#parts.journal.tellReceived(upload);
      }
      return upload;
    } catch (error) {
      this.#parts.open.remove(id);
      if (object !== undefined) {
        await this.#parts.storage.remove(object).catch((failure: unknown) => {
          this.#parts.log.warn('upload.object-left', { error: failure });
        });
      }
      throw storageError(error);
    }
  }
}
