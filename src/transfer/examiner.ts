import type { KeyRing } from '../access/key-ring.ts';
import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import type { InstanceRecord, SetAsideRecord, UploadRecord } from '../state/records.ts';
import { StorageFull, StorageUnreachable } from '../storage/errors.ts';
import { lendInTurns } from '../storage/lending.ts';
import type { ObjectId, Storage } from '../storage/storage.ts';
import type { Part } from '../study/package.ts';
import { checkReport, isReportType } from '../study/report.ts';
import { extentsBetween } from '../upload/extents.ts';
import { WorkQueueFull, WorkStopped } from '../work/errors.ts';
import type { Inspection } from '../work/jobs.ts';
import type { WorkPool } from '../work/pool.ts';
import { forEachAtOnce } from './at-once.ts';
import type { DerivedObjects } from './derived-objects.ts';
import { type Finding, failedInspection, findingOf, isOurFault } from './finding.ts';
import { unpackingMax } from './limits.ts';
import { type ReportContent, reportFindingOf } from './report-finding.ts';
import { type Content, type Look, type Packed, Unpacking } from './unpacking.ts';

interface ExaminerParts {
  readonly storage: Storage;
  readonly keyRing: KeyRing;
  readonly pool: Pick<WorkPool, 'inspect' | 'inflate' | 'digest'>;
  readonly derivedObjects: Pick<DerivedObjects, 'make' | 'drop'>;
  readonly limits: { readonly instanceBytesMax: number };
  readonly log: Log;
}

/** What the parts of one stretch of an upload are, in their order. */
export interface Examined {
  readonly findings: readonly Finding[];
  readonly setAside: readonly SetAsideRecord[];
}

/** Looks at parts of an upload and says what each is for its transfer. */
export class Examiner {
  readonly #parts: ExaminerParts;
  readonly #unpacking: Unpacking;

  constructor(parts: ExaminerParts) {
    this.#parts = parts;
    this.#unpacking = new Unpacking(parts);
  }

  /**
   * Looks at all parts, as fast as it goes. Rejects with the first failure, which may be about any of
   * them; what was made until then is gone.
   *
   * @param known inspections of parts that were read ahead, by their place in `parts`
   */
  async together(
    upload: UploadRecord,
    parts: readonly Part[],
    known: readonly (Inspection | undefined)[],
    signal: AbortSignal,
  ): Promise<Examined> {
    const look = lookAt(upload, signal);
    const findings: (Finding | undefined)[] = [];
    try {
      const inspections = await this.#inspect(look, parts, known);
      await forEachAtOnce(parts, unpackingMax, async (part, at) => {
        if (part.kind !== 'set-aside') {
          const finding = await this.#examine(look, part, inspections[at]);
          findings[at] = { ...finding, objects: objectsOf(finding.instance, look.made) };
        }
      });
    } catch (error) {
      await this.#drop(look, [...look.made]);
      throw error;
    }
    const kept = new Set(findings.flatMap((finding) => finding?.objects ?? []));
    await this.#drop(
      look,
      [...look.made].filter((object) => !kept.has(object)),
    );
    return {
      findings: findings.filter((finding) => finding !== undefined),
      setAside: this.#setAside(parts),
    };
  }

  /**
   * Looks at each part by itself: what fails again and again is held for a person, and stands in no other's
   * way. Rejects as `together` does with what says nothing about a part, such as a full disk.
   */
  async singly(upload: UploadRecord, parts: readonly Part[], signal: AbortSignal): Promise<Examined> {
    const findings: Finding[] = [];
    try {
      for (const part of parts.filter(({ kind }) => kind !== 'set-aside')) {
        findings.push(await this.#alone(upload, part, signal));
      }
    } catch (error) {
      await this.#drop(
        lookAt(upload, signal),
        findings.flatMap(({ objects = [] }) => objects),
      );
      throw error;
    }
    return { findings, setAside: this.#setAside(parts) };
  }

  async #alone(upload: UploadRecord, part: Part, signal: AbortSignal): Promise<Finding> {
    let failed: Inspection;
    try {
      const { findings } = await this.together(upload, [part], [], signal);
      if (findings[0] !== undefined) {
        return findings[0];
      }
      failed = failedInspection('no answer');
    } catch (thrown) {
      if (passes(thrown) || signal.aborted) {
        throw thrown;
      }
      failed = thrown instanceof OurFault ? thrown.inspection : failedInspection(asError(thrown).name);
    }
    const facts = { upload: upload.id, transfer: upload.transfer ?? '', bytes: part.bytes };
    this.#parts.log.error('follower.instance-held', { ...facts, reason: failed.error?.reason ?? '' });
    return findingOf(this.#parts.keyRing, upload.id, contentOf(upload, part).extents, failed);
  }

  /** Instances that are a byte range of the upload, many to a task; by their place in `parts`. */
  async #inspect(
    { upload, signal }: Look,
    parts: readonly Part[],
    known: readonly (Inspection | undefined)[],
  ): Promise<(Inspection | undefined)[]> {
    const isOpen = parts.map(
      ({ kind, entry }, at) => known[at] === undefined && kind === 'instance' && entry?.method !== 'deflated',
    );
    const { storage, pool } = this.#parts;
    const lists = parts.filter((_, at) => isOpen[at]).map((part) => contentOf(upload, part).extents);
    const inspections = await lendInTurns(storage, lists, (lent) =>
      pool.inspect(
        lent.map((ranges) => ({ ranges })),
        signal,
      ),
    );
    const answers = inspections.values();
    return parts.map((_, at) => (isOpen[at] === true ? answers.next().value : known[at]));
  }

  async #examine(look: Look, part: Part, inspection: Inspection | undefined): Promise<Finding> {
    if (part.kind === 'report') {
      return this.#report(look, part);
    }
    const content =
      inspection === undefined
        ? await this.#unpacked(look, part)
        : { ...contentOf(look.upload, part), inspection };
    if (expectAnswer(content.inspection).deflated !== true) {
      return this.#findingOf(look, part, content);
    }
    const { inflated, inspection: inside } = await this.#unpacking.dataset(look, content);
    const finding = this.#findingOf(look, part, { ...content, inspection: expectAnswer(inside) });
    return { ...finding, instance: { ...finding.instance, inflated } };
  }

  async #report(look: Look, part: Part): Promise<Finding> {
    const { contentType: mediaType, origin } = part;
    const content = await this.#reportContent(look, part);
    const { extents, bytes } = content;
    let { fault } = content;
    if (fault === undefined && isReportType(mediaType)) {
      const read = (start: number, end: number): Promise<Buffer> =>
        readAll(this.#parts.storage.read(extents, start, end));
      fault = (await checkReport(mediaType, bytes, read)).fault?.reason;
    }
    return reportFindingOf(look.upload.id, { ...content, fault }, { mediaType, origin });
  }

  async #reportContent(look: Look, part: Part): Promise<ReportContent> {
    const { entry, bytes } = part;
    if (entry?.method === 'deflated') {
      const { inspection, ...unpacked } = await this.#unpacked(look, part);
      const { sha256, crc32, error } = inspection;
      // That it is no instance is what it should be; that it could not be unpacked is another thing.
      const isUnpacked = unpacked.bytes === entry.bytes && crc32 === entry.crc32;
      return { ...unpacked, sha256, crc32, fault: isUnpacked ? undefined : (error?.reason ?? damaged) };
    }
    const { storage, pool } = this.#parts;
    const { extents } = contentOf(look.upload, part);
    const [digest] = await storage.lend(extents, 0, bytes, (pieces) =>
      pool.digest([{ pieces }], look.signal),
    );
    if (digest === undefined) {
      throw new Error('the workers answered fewer digests than they were asked for');
    }
    const { sha256, crc32 } = digest;
    const isDamaged = entry !== null && entry.crc32 !== crc32;
    return { extents, bytes, sha256, crc32, fault: isDamaged ? damaged : undefined };
  }

  #unpacked(look: Look, part: Part): Promise<Content> {
    if (part.entry === null) {
      throw new Error('the workers answered fewer instances than they were asked for');
    }
    return this.#unpacking.entry(look, contentOf(look.upload, part), part.entry);
  }

  #findingOf({ upload }: Look, { entry }: Part, { extents, inspection }: Content): Finding {
    const isDamaged = entry !== null && inspection.crc32 !== entry.crc32;
    return findingOf(this.#parts.keyRing, upload.id, extents, inspection, isDamaged);
  }

  #setAside(parts: readonly Part[]): SetAsideRecord[] {
    return parts.flatMap(({ kind, why, entry, bytes }) => {
      if (kind !== 'set-aside') {
        return [];
      }
      const name = this.#parts.keyRing.seal('entry-name', entry?.name ?? '');
      return [{ name, why: why ?? 'unknown', bytes: entry?.bytes ?? bytes }];
    });
  }

  /** A stop does not wait for this: the next start does it. */
  async #drop({ transfer, signal }: Look, objects: readonly ObjectId[]): Promise<void> {
    if (!signal.aborted) {
      await this.#parts.derivedObjects.drop(transfer, objects);
    }
  }
}

const damaged = 'its CRC-32 is not the one that its archive tells';

/** The inspection itself failed: nothing is known of the object, and it may be good. */
class OurFault extends Error {
  override readonly name = 'OurFault';
  readonly inspection: Inspection;

  constructor(inspection: Inspection) {
    super(inspection.error?.reason ?? 'the inspection failed');
    this.inspection = inspection;
  }
}

function expectAnswer(inspection: Inspection): Inspection {
  if (isOurFault(inspection)) {
    throw new OurFault(inspection);
  }
  return inspection;
}

/** Says nothing about the part that was looked at, and passes: it is tried for as long as it takes. */
function passes(thrown: unknown): boolean {
  return (
    thrown instanceof WorkQueueFull ||
    thrown instanceof WorkStopped ||
    thrown instanceof StorageFull ||
    thrown instanceof StorageUnreachable
  );
}

function lookAt(upload: UploadRecord, signal: AbortSignal): Look {
  if (upload.transfer === null) {
    throw new RangeError('an upload of no transfer is not examined');
  }
  return { upload, transfer: upload.transfer, signal, made: new Set() };
}

/** Those of the objects made that an item refers to. */
function objectsOf({ extents, inflated }: InstanceRecord, made: ReadonlySet<ObjectId>): ObjectId[] {
  const all = inflated === null ? extents : [...extents, inflated.head];
  return all.map(({ object }) => object).filter((object) => made.has(object));
}

/** Where a part lies as it was sent: of a concatenated upload perhaps in two objects. */
function contentOf(upload: UploadRecord, { start, bytes }: Part): Packed {
  return { extents: extentsBetween(upload, start, bytes), bytes };
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) {
    copies.push(Buffer.from(chunk));
  }
  return Buffer.concat(copies);
}
