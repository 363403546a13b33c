import type { KeyRing } from '../access/key-ring.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import { keys } from '../state/keys.ts';
import type { InstanceRecord, TransferRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import type { FileRange, Storage } from '../storage/storage.ts';
import type { ReportLanguage } from '../study/rendering/printed-report.ts';
import { isStructuredReport } from '../study/rendering/sr-document.ts';
import { WorkerLost, WorkFailed } from '../work/errors.ts';
import type { WorkPool } from '../work/pool.ts';
import type { RenderContext, RenderJob, RenderResult } from '../work/render-job.ts';
import { forEachAtOnce } from './at-once.ts';
import type { DerivedObjects } from './derived-objects.ts';
import { type Finding, findingOf } from './finding.ts';
import { contextBytesMax, renderingFailuresMax, renderingMax, renderRoomBytes } from './limits.ts';
import type { ReasonCode } from './reasons.ts';

interface DerivingParts {
  readonly state: State;
  readonly storage: Storage;
  readonly keyRing: KeyRing;
  readonly addressBook: AddressBook;
  readonly pool: Pick<WorkPool, 'render'>;
  readonly derivedObjects: Pick<DerivedObjects, 'make' | 'drop'>;
  /** Of the words that are printed around a report. */
  readonly language: ReportLanguage;
}

/** What was made for the receivers of a transfer, and what could not be. */
export interface Derived {
  readonly findings: readonly Finding[];
  readonly reasons: readonly ReasonCode[];
}

/** One item that somebody wants as a PDF, and the instance of the study it belongs to. */
interface Wanted {
  readonly number: number;
  readonly item: InstanceRecord;
  readonly context: InstanceRecord;
}

/**
 * Makes what some receivers want beside what was sent: of reports an instance for who is pushed to, of
 * structured reports a PDF for who asks for it. The same transfer gives the same instances.
 */
export class Deriving {
  readonly #parts: DerivingParts;
  /** Item → how often the threads failed with it. */
  readonly #failures = new Map<string, number>();

  constructor(parts: DerivingParts) {
    this.#parts = parts;
  }

  /**
   * @param renderable numbers of the transfer's reports and structured reports
   * Rejects when the threads or the disk fail: try again. Then nothing that was made is left.
   */
  async derive(transfer: TransferRecord, renderable: readonly number[]): Promise<Derived> {
    const { wanted, unplaced } = this.#wanted(transfer, renderable);
    const findings: (Finding | undefined)[] = [];
    const reasons = new Set<ReasonCode>(unplaced ? ['REPORT_UNPLACED'] : []);
    try {
      await forEachAtOnce(wanted, renderingMax, async (one, at) => {
        const found = await this.#make(transfer, one);
        if (typeof found === 'string') {
          reasons.add(found);
        } else {
          findings[at] = found;
        }
      });
    } catch (error) {
      for (const object of findings.flatMap((finding) => finding?.objects ?? [])) {
        await this.#parts.derivedObjects.drop(transfer.id, object);
      }
      throw error;
    }
    for (const { number } of wanted) {
      this.#failures.delete(`${transfer.id} ${number}`);
    }
    return { findings: findings.filter((finding) => finding !== undefined), reasons: [...reasons] };
  }

  #wanted(
    transfer: TransferRecord,
    renderable: readonly number[],
  ): { readonly wanted: readonly Wanted[]; readonly unplaced: boolean } {
    const mailboxes = transfer.to.map((id) => this.#parts.addressBook.mailbox(id));
    const wantsReports = mailboxes.some(({ receiving }) => receiving.by !== 'pull');
    const wantsSr = mailboxes.some(({ srAsPdf }) => srAsPdf);
    let study: InstanceRecord | undefined;
    let unplaced = false;
    const wanted: Wanted[] = [];
    for (const number of wantsReports || wantsSr ? renderable : []) {
      const item = this.#item(transfer, number);
      if (item.report === null) {
        if (wantsSr && isStructuredReport(item.scan?.sopClassUid ?? '')) {
          wanted.push({ number, item, context: item });
        }
      } else if (wantsReports) {
        // In which of several studies a document belongs it does not say, and a wrong one does harm.
        study ??= transfer.studies === 1 ? this.#anyInstance(transfer) : undefined;
        if (study === undefined) {
          unplaced = true;
        } else {
          wanted.push({ number, item, context: study });
        }
      }
    }
    return { wanted, unplaced };
  }

  async #make(transfer: TransferRecord, { number, item, context }: Wanted): Promise<Finding | ReasonCode> {
    const { derivedObjects, keyRing } = this.#parts;
    const cannot: ReasonCode = item.report === null ? 'SR_NOT_RENDERED' : 'REPORT_NOT_RENDERED';
    const key = `${transfer.id} ${number}`;
    try {
      const { object, result } = await derivedObjects.make(
        transfer.id,
        renderRoomBytes + item.bytes,
        ({ path }) => this.#render(item, context, path),
      );
      const { inspection, bytes } = result;
      if (inspection?.scan === undefined || inspection.error !== undefined) {
        await derivedObjects.drop(transfer.id, object);
        return cannot;
      }
      const { instance } = findingOf(keyRing, item.upload, [{ object, start: 0, bytes }], inspection);
      // What is said of it was said of its source already.
      const made = { ...instance, derivedFrom: number, reasons: [], verdict: 'accepted' as const };
      return {
        instance: { ...made, patientMac: null, demographics: null },
        bsn: undefined,
        objects: [object],
      };
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const isOwn = error instanceof WorkerLost || error instanceof WorkFailed;
      if (isOwn && failures >= renderingFailuresMax) {
        return cannot;
      }
      throw error;
    }
  }

  #render(item: InstanceRecord, context: InstanceRecord, into: string): Promise<RenderResult> {
    const { pool, language } = this.#parts;
    const { head, deflatedRest } = this.#formOf(item);
    const job: RenderJob = {
      of:
        item.report === null
          ? { kind: 'sr' }
          : { kind: kindOf(item.report.mediaType), context: this.#contextOf(context) },
      source: head,
      deflatedRest,
      sourceSha256: item.sha256,
      language,
      into,
    };
    return pool.render(job);
  }

  /** An instance as it can be read: one with a deflated dataset in its inflated form. */
  #formOf({ extents, bytes, inflated }: InstanceRecord): { head: FileRange[]; deflatedRest: FileRange[] } {
    const { storage } = this.#parts;
    if (inflated === null) {
      return { head: storage.locate(extents, 0, bytes), deflatedRest: [] };
    }
    const { head, tail } = inflated;
    return {
      head: storage.locate([head], 0, head.bytes),
      deflatedRest: storage.locate([tail], 0, tail.bytes),
    };
  }

  #contextOf({ extents, bytes, inflated }: InstanceRecord): RenderContext {
    const { storage } = this.#parts;
    const readable = inflated === null ? extents : [inflated.head];
    const there = inflated === null ? bytes : inflated.head.bytes;
    const pieces = storage.locate(readable, 0, Math.min(there, contextBytesMax));
    return { pieces, bytes: inflated === null ? bytes : inflated.bytes };
  }

  #anyInstance(transfer: TransferRecord): InstanceRecord | undefined {
    for (let number = 0; number < transfer.instances; number++) {
      const item = this.#item(transfer, number);
      if ((item.scan?.studyInstanceUid ?? '') !== '') {
        return item;
      }
    }
    return undefined;
  }

  #item({ id }: TransferRecord, number: number): InstanceRecord {
    const item = this.#parts.state.get(keys.instances, [id, number]);
    if (item === undefined) {
      throw new Error(`transfer ${id} has no item ${number}`);
    }
    return item;
  }
}

function kindOf(mediaType: string): 'pdf' | 'cda' | 'text' {
  if (mediaType === 'application/pdf') {
    return 'pdf';
  }
  return mediaType === 'text/plain' ? 'text' : 'cda';
}
