import type { KeyRing } from '../access/key-ring.ts';
import type { AddressBook } from '../addressbook/address-book.ts';
import type { Form } from '../dicom/scan.ts';
import { keys } from '../state/keys.ts';
import type { InstanceRecord, MailboxRecord, TransferRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';
import { lendTogether } from '../storage/lending.ts';
import { slice } from '../storage/reader.ts';
import type { Extent, FileRange, Storage } from '../storage/storage.ts';
import { DOCUMENT, ENCAPSULATED_PDF } from '../study/rendering/encapsulated-pdf.ts';
import type { ReportLanguage } from '../study/rendering/printed-report.ts';
import { WorkerLost, WorkFailed } from '../work/errors.ts';
import type { WorkPool } from '../work/pool.ts';
import type { RenderContext, RenderJob, RenderResult } from '../work/render-job.ts';
import { forEachAtOnce } from './at-once.ts';
import type { DerivedObjects } from './derived-objects.ts';
import { type Finding, findingOf } from './finding.ts';
import type { Renderable } from './judgement.ts';
import {
  contextBytesMax,
  renderedMax,
  renderingFailuresMax,
  renderingMax,
  renderRoomBytes,
} from './limits.ts';
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
  readonly limits: { readonly instancesMax: number };
}

/** An item that nothing could be made of, and why; without a value of it. */
export interface Unmade {
  readonly number: number;
  readonly code: ReasonCode;
  readonly detail: string;
}

/** What was made for the receivers of a transfer, and what could not be. */
export interface Derived {
  readonly findings: readonly Finding[];
  readonly unmade: readonly Unmade[];
}

/** One item that somebody wants as a PDF. */
interface Wanted {
  readonly number: number;
  /** Number of an item of the study that it belongs to. */
  readonly context: number;
  /** What is said when it cannot be made. */
  readonly code: ReasonCode;
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

  /** Rejects when the threads or the disk fail: try again. Then nothing that was made is left. */
  async derive(transfer: TransferRecord, renderable: Renderable, signal?: AbortSignal): Promise<Derived> {
    const { wanted, unmade } = this.#wanted(transfer, renderable);
    const findings: (Finding | undefined)[] = [];
    try {
      await forEachAtOnce(wanted, renderingMax, async (one, at) => {
        const found = await this.#make(transfer, one, signal);
        if ('code' in found) {
          unmade.push(found);
        } else {
          findings[at] = found;
        }
      });
    } catch (error) {
      if (signal?.aborted !== true) {
        await this.#parts.derivedObjects.drop(
          transfer.id,
          findings.flatMap((finding) => finding?.objects ?? []),
        );
      }
      throw error;
    }
    for (const { number } of wanted) {
      this.#failures.delete(`${transfer.id} ${number}`);
    }
    return { findings: findings.filter((finding) => finding !== undefined), unmade };
  }

  #wanted(
    transfer: TransferRecord,
    { reports, structuredReports, study }: Renderable,
  ): { readonly wanted: readonly Wanted[]; readonly unmade: Unmade[] } {
    const mailboxes = transfer.to.map((id) => this.#parts.addressBook.mailbox(id)).filter(takesPdf);
    const wanted: Wanted[] = [];
    const unmade: Unmade[] = [];
    if (mailboxes.some(({ receiving }) => receiving.by !== 'pull')) {
      // In which of several studies a document belongs it does not say, and a wrong one does harm.
      const context = transfer.studies === 1 ? study : undefined;
      if (context === undefined) {
        unmade.push(...reports.map(unplaced));
      } else {
        const code = 'REPORT_NOT_RENDERED';
        wanted.push(...reports.map((number) => ({ number, context, code }) as const));
      }
    }
    if (mailboxes.some(({ srAsPdf }) => srAsPdf)) {
      const code = 'SR_NOT_RENDERED';
      wanted.push(...structuredReports.map((number) => ({ number, context: number, code }) as const));
    }
    // Reports first: without one its transfer is held, a structured report only goes alone.
    const room = Math.max(0, Math.min(renderedMax, this.#parts.limits.instancesMax - transfer.instances));
    const detail = `this transfer has room for ${room} PDFs that are made here`;
    unmade.push(...wanted.splice(room).map(({ number, code }) => ({ number, code, detail })));
    return { wanted, unmade };
  }

  async #make(
    transfer: TransferRecord,
    { number, context, code }: Wanted,
    signal: AbortSignal | undefined,
  ): Promise<Finding | Unmade> {
    const { derivedObjects, keyRing } = this.#parts;
    const item = this.#item(transfer, number);
    try {
      const { object, result } = await derivedObjects.make(
        transfer.id,
        renderRoomBytes + item.bytes,
        ({ path }) => this.#render(item, this.#item(transfer, context), path, signal),
      );
      const { inspection, bytes, fault } = result;
      if (inspection?.scan === undefined || inspection.error !== undefined) {
        await derivedObjects.drop(transfer.id, [object]);
        return { number, code, detail: fault ?? 'what was made of it cannot be read' };
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
      if (!(error instanceof WorkerLost || error instanceof WorkFailed)) {
        throw error;
      }
      const key = `${transfer.id} ${number}`;
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      if (failures < renderingFailuresMax) {
        throw error;
      }
      return { number, code, detail: `making a PDF of it failed (${error.name})` };
    }
  }

  #render(
    item: InstanceRecord,
    context: InstanceRecord,
    into: string,
    signal: AbortSignal | undefined,
  ): Promise<RenderResult> {
    const { storage, pool, language } = this.#parts;
    const { head, deflatedRest } = sourceOf(item);
    const isReport = item.report !== null;
    const lists = [head, deflatedRest, isReport ? contextOf(context) : []];
    return lendTogether(storage, lists, ([source = [], rest = [], pieces = []]) => {
      const job: RenderJob = {
        of:
          item.report === null
            ? { kind: 'sr', form: formOf(item) }
            : { kind: kindOf(item.report.mediaType), context: renderContext(context, pieces) },
        source,
        deflatedRest: rest,
        sourceSha256: item.sha256,
        language,
        into,
      };
      return pool.render(job, signal);
    });
  }

  #item({ id }: TransferRecord, number: number): InstanceRecord {
    const item = this.#parts.state.get(keys.instances, [id, number]);
    if (item === undefined) {
      throw new Error(`transfer ${id} has no item ${number}`);
    }
    return item;
  }
}

/** What is made here is one of these, and its filter may leave out just that. */
function takesPdf({ excludeSopClasses, excludeModalities }: MailboxRecord): boolean {
  return !excludeSopClasses.includes(ENCAPSULATED_PDF) && !excludeModalities.includes(DOCUMENT);
}

function unplaced(number: number): Unmade {
  const detail = 'it does not tell to which study of the transfer it belongs';
  return { number, code: 'REPORT_UNPLACED', detail };
}

/** An instance as it can be read: one with a deflated dataset in its inflated form. */
function sourceOf({ extents, inflated }: InstanceRecord): {
  readonly head: readonly Extent[];
  readonly deflatedRest: readonly Extent[];
} {
  return inflated === null
    ? { head: extents, deflatedRest: [] }
    : { head: [inflated.head], deflatedRest: [inflated.tail] };
}

/** What is read of the instance that a document is made for. */
function contextOf({ extents, bytes, inflated }: InstanceRecord): readonly Extent[] {
  const readable = inflated === null ? extents : [inflated.head];
  const there = inflated === null ? bytes : inflated.head.bytes;
  return slice(readable, 0, Math.min(there, contextBytesMax));
}

function renderContext(item: InstanceRecord, pieces: FileRange[]): RenderContext {
  const { inflated, bytes } = item;
  return { pieces, bytes: inflated === null ? bytes : inflated.bytes, form: formOf(item) };
}

function formOf({ inflated }: InstanceRecord): Form {
  return inflated === null ? 'stored' : 'inflated';
}

function kindOf(mediaType: string): 'pdf' | 'cda' | 'text' {
  if (mediaType === 'application/pdf') {
    return 'pdf';
  }
  return mediaType === 'text/plain' ? 'text' : 'cda';
}
