import type { KeyRing } from '../access/key-ring.ts';
import { asError } from '../ops/error.ts';
import type { Log } from '../ops/log.ts';
import type { SetAsideRecord, UploadRecord } from '../state/records.ts';
import type { Extent, FileRange, ObjectId, Storage } from '../storage/storage.ts';
import type { Part } from '../study/package.ts';
import { checkReport, isReportType } from '../study/report.ts';
import { WorkQueueFull, WorkStopped } from '../work/errors.ts';
import type { Inspection } from '../work/jobs.ts';
import type { WorkPool } from '../work/pool.ts';
import { forEachAtOnce } from './at-once.ts';
import type { DerivedObjects } from './derived-objects.ts';
import { type Finding, failedInspection, findingOf, isOurFault } from './finding.ts';
import { inflatedRatioExpected, ratioMax, unpackingMax } from './limits.ts';
import { type ReportContent, reportFindingOf } from './report-finding.ts';

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

/** One look at some parts: whose they are, when to stop, and what was made on the way. */
interface Look {
  readonly upload: UploadRecord;
  readonly transfer: string;
  readonly signal: AbortSignal;
  /** Derived objects; those that no finding refers to in the end are dropped. */
  readonly made: ObjectId[];
}

/** Where the content of a part lies, and what is known of it. */
interface Content {
  readonly extents: readonly Extent[];
  readonly bytes: number;
  readonly inspection: Inspection;
}

/**
 * Looks at parts of an upload and says what each is for its transfer. What is no byte range of the
 * upload, a deflated entry or a deflated dataset, is unpacked once, into a derived object.
 */
export class Examiner {
  readonly #parts: ExaminerParts;

  constructor(parts: ExaminerParts) {
    this.#parts = parts;
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
    if (upload.transfer === null) {
      throw new RangeError('an upload of no transfer is not examined');
    }
    const look: Look = { upload, transfer: upload.transfer, signal, made: [] };
    const findings: (Finding | undefined)[] = [];
    try {
      const inspections = await this.#inspect(look, parts, known);
      await forEachAtOnce(parts, unpackingMax, async (part, at) => {
        if (part.kind !== 'set-aside') {
          findings[at] = await this.#examine(look, part, inspections[at]);
        }
      });
    } catch (error) {
      await this.#drop(look, look.made);
      throw error;
    }
    const kept = new Set(findings.flatMap((finding) => finding?.objects ?? []));
    await this.#drop(
      look,
      look.made.filter((object) => !kept.has(object)),
    );
    return {
      findings: findings.filter((finding) => finding !== undefined),
      setAside: this.#setAside(parts),
    };
  }

  /** Looks at each part by itself: what fails again and again is held for a person, and stands in no other's way. */
  async singly(upload: UploadRecord, parts: readonly Part[], signal: AbortSignal): Promise<Examined> {
    const findings: Finding[] = [];
    for (const part of parts.filter(({ kind }) => kind !== 'set-aside')) {
      findings.push(await this.#alone(upload, part, signal));
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
      // These say nothing about the part.
      if (thrown instanceof WorkQueueFull || thrown instanceof WorkStopped || signal.aborted) {
        throw thrown;
      }
      failed = thrown instanceof OurFault ? thrown.inspection : failedInspection(asError(thrown).name);
    }
    const facts = { upload: upload.id, transfer: upload.transfer ?? '', bytes: part.bytes };
    this.#parts.log.error('follower.instance-held', { ...facts, reason: failed.error?.reason ?? '' });
    return findingOf(this.#parts.keyRing, upload.id, [extentOf(upload, part)], failed);
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
    const jobs = parts
      .filter((_, at) => isOpen[at])
      .map((part) => ({ ranges: this.#rangesOf([extentOf(upload, part)]) }));
    const answers = (await this.#parts.pool.inspect(jobs, signal)).values();
    return parts.map((_, at) => (isOpen[at] === true ? answers.next().value : known[at]));
  }

  async #examine(look: Look, part: Part, inspection: Inspection | undefined): Promise<Finding> {
    if (part.kind === 'report') {
      return this.#report(look, part);
    }
    const content =
      inspection === undefined
        ? await this.#unpack(look, part)
        : { extents: [extentOf(look.upload, part)], bytes: part.bytes, inspection };
    if (isOurFault(content.inspection)) {
      throw new OurFault(content.inspection);
    }
    return content.inspection.deflated === true
      ? this.#inflateDataset(look, part, content)
      : this.#findingOf(look, part, content);
  }

  /** An entry that is deflated becomes an object of its own: then it is bytes like any other. */
  async #unpack(look: Look, part: Part): Promise<Content> {
    const { entry } = part;
    if (entry === null) {
      throw new Error('the workers answered fewer instances than they were asked for');
    }
    const { instanceBytesMax } = this.#parts.limits;
    const { object, result } = await this.#parts.derivedObjects.make(
      look.transfer,
      Math.min(entry.bytes, instanceBytesMax),
      ({ path }) =>
        this.#parts.pool.inflate(
          {
            of: 'entry',
            ranges: this.#rangesOf([extentOf(look.upload, part)]),
            into: path,
            bytesMax: instanceBytesMax,
            ratioMax,
            crc32: entry.crc32,
            bytes: entry.bytes,
          },
          look.signal,
        ),
    );
    look.made.push(object);
    const { bytes, inspection } = result;
    // What cannot be unpacked is shown as it was sent.
    return bytes === 0 && inspection.error !== undefined
      ? { extents: [extentOf(look.upload, part)], bytes: part.bytes, inspection }
      : { extents: [{ object, start: 0, bytes }], bytes, inspection };
  }

  /** So that its head can be read and patched. What a receiver gets without a patch is still the original. */
  async #inflateDataset(look: Look, part: Part, content: Content): Promise<Finding> {
    const { instanceBytesMax } = this.#parts.limits;
    const { object, result } = await this.#parts.derivedObjects.make(
      look.transfer,
      Math.min(instanceBytesMax, content.bytes * inflatedRatioExpected),
      ({ path }) =>
        this.#parts.pool.inflate(
          {
            of: 'dataset',
            ranges: this.#rangesOf(content.extents),
            into: path,
            bytesMax: instanceBytesMax,
            ratioMax,
          },
          look.signal,
        ),
    );
    look.made.push(object);
    const { inflated, inspection } = result;
    const finding = this.#findingOf(look, part, { ...content, inspection });
    if (inflated === undefined) {
      return finding;
    }
    const { headBytes, tailBytes, bytes } = inflated;
    const forms = {
      head: { object, start: 0, bytes: headBytes },
      tail: { object, start: headBytes, bytes: tailBytes },
      bytes,
    };
    return {
      ...finding,
      instance: { ...finding.instance, inflated: forms },
      objects: [...(finding.objects ?? []), object],
    };
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
    const finding = reportFindingOf(look.upload.id, { ...content, fault }, { mediaType, origin });
    return { ...finding, objects: look.made.filter((made) => extents.some(({ object }) => object === made)) };
  }

  async #reportContent(look: Look, part: Part): Promise<ReportContent> {
    const { entry, bytes } = part;
    if (entry?.method === 'deflated') {
      const { inspection, ...unpacked } = await this.#unpack(look, part);
      const { sha256, crc32, error } = inspection;
      // That it is no instance is what it should be; that it could not be unpacked is another thing.
      const isUnpacked = unpacked.bytes === entry.bytes && crc32 === entry.crc32;
      return { ...unpacked, sha256, crc32, fault: isUnpacked ? undefined : (error?.reason ?? damaged) };
    }
    const extents = [extentOf(look.upload, part)];
    const jobs = [{ pieces: this.#rangesOf(extents) }];
    const [digest] = await this.#parts.pool.digest(jobs, look.signal);
    if (digest === undefined) {
      throw new Error('the workers answered fewer digests than they were asked for');
    }
    const { sha256, crc32 } = digest;
    const isDamaged = entry !== null && entry.crc32 !== crc32;
    return { extents, bytes, sha256, crc32, fault: isDamaged ? damaged : undefined };
  }

  #findingOf({ upload, made }: Look, { entry }: Part, { extents, inspection }: Content): Finding {
    const isDamaged = entry !== null && inspection.crc32 !== entry.crc32;
    const finding = findingOf(this.#parts.keyRing, upload.id, extents, inspection, isDamaged);
    return { ...finding, objects: made.filter((one) => extents.some(({ object }) => object === one)) };
  }

  #rangesOf(extents: readonly Extent[]): FileRange[] {
    const bytes = extents.reduce((sum, extent) => sum + extent.bytes, 0);
    return this.#parts.storage.locate(extents, 0, bytes);
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

  async #drop({ transfer }: Look, objects: readonly ObjectId[]): Promise<void> {
    for (const object of objects) {
      await this.#parts.derivedObjects.drop(transfer, object);
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

function extentOf({ object }: UploadRecord, { start, bytes }: Part): Extent {
  return { object, start, bytes };
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const chunk of chunks) {
    copies.push(Buffer.from(chunk));
  }
  return Buffer.concat(copies);
}
