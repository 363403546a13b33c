import type { ListArchive } from './archive.ts';
import { ArchiveEntries } from './archive-entries.ts';
import { PackageBroken, type PackageFault } from './fault.ts';
import { declaredFormat, sniffedFormat } from './format.ts';
import {
  entriesAtOnce,
  epilogueBytesMax,
  partBytesMax,
  partHeaderBytesMax,
  partsMax,
  partsPerCallMax,
  peekBytes,
  preambleBytesMax,
  searchBytes,
  sniffBytes,
} from './limits.ts';
import { DELIMITER_END_BYTES, DICOM, delimiterEnd, parsePartHeaders } from './multipart.ts';
import { Peek, type ReadRange } from './peek.ts';
import { isReportType } from './report.ts';
import type { OpenPart, PackageWalk, Part, PartKind, WalkStep } from './walk.ts';

/** One call of nextParts. */
export class Step {
  readonly parts: Part[] = [];
  readonly #peek: Peek;
  readonly #total: number | null;
  readonly #read: ReadRange;
  readonly #list: ListArchive;
  #walk: PackageWalk;
  #entries: ArchiveEntries | undefined;

  constructor(
    walk: PackageWalk,
    upload: { read: ReadRange; published: number; total: number | null; list: ListArchive },
  ) {
    this.#walk = walk;
    this.#peek = new Peek(upload.read, upload.published);
    this.#total = upload.total;
    this.#read = upload.read;
    this.#list = upload.list;
  }

  /** Goes one thing further; false when it needs bytes that are not published, or nothing is left to do. */
  advance(): Promise<boolean> | boolean {
    switch (this.#walk.stage) {
      case 'format':
        return this.#format();
      case 'whole':
        return this.#whole();
      case 'archive':
        return this.#archive();
      case 'preamble':
        return this.#preamble();
      case 'headers':
        return this.#headers();
      case 'content':
        return this.#content(this.#walk.open);
      case 'epilogue':
        return this.#epilogue();
      case 'done':
      case 'broken':
        return false;
    }
  }

  result(): WalkStep {
    const { stage, fault } = this.#walk;
    if (fault !== null) return this.broken(fault);
    return { walk: this.#walk, parts: this.parts, state: stage === 'done' ? 'done' : 'more' };
  }

  broken(fault: PackageFault): WalkStep {
    const walk: PackageWalk = { ...this.#walk, stage: 'broken', open: null, fault };
    return { walk, parts: this.parts, state: 'broken', fault };
  }

  async #format(): Promise<boolean> {
    let format = declaredFormat(this.#walk.filetype);
    if (format === undefined) {
      const head = await this.#peek.at(0, sniffBytes, sniffBytes);
      if (head.byteLength < sniffBytes && !this.#over()) return false;
      format = sniffedFormat(head);
    }
    if (format.kind === 'multipart') return this.#go({ stage: 'preamble', boundary: format.boundary });
    if (format.kind === 'archive') return this.#go({ stage: 'archive' });
    const { kind } = format;
    const contentType = format.kind === 'report' ? format.contentType : DICOM;
    return this.#go({ stage: 'whole', open: { start: 0, bytes: this.#total, contentType, kind } });
  }

  #whole(): boolean {
    const bytes = this.#total;
    if (bytes === null) return false;
    if (bytes === 0) throw new PackageBroken('EMPTY', 0, 'the upload is empty');
    if (bytes > partBytesMax) throw tooLarge(0);
    const { contentType = DICOM, kind = 'instance' } = this.#walk.open ?? {};
    const open: OpenPart = { start: 0, bytes, contentType, kind };
    if (this.#peek.published < bytes) {
      this.#walk = { ...this.#walk, open };
      return false;
    }
    this.parts.push(partOf(open, bytes));
    return this.#go({ stage: 'done', open: null, at: bytes, parts: 1 });
  }

  /**
   * Entries of an archive, once it is whole: its directory is the last thing of it, and what a reader sees
   * before is not what the next one has to see.
   */
  async #archive(): Promise<boolean> {
    const total = this.#total;
    if (total === null || this.#peek.published < total) return false;
    if (total === 0) throw new PackageBroken('EMPTY', 0, 'the upload is empty');
    this.#entries ??= new ArchiveEntries(await this.#list(this.#read, total), this.#read);
    const { at, parts } = this.#walk;
    if (at >= this.#entries.count) {
      if (parts === 0) throw new PackageBroken('EMPTY', 0, 'the archive has nothing but folders');
      return this.#go({ stage: 'done' });
    }
    const room = Math.min(entriesAtOnce, partsPerCallMax - this.parts.length);
    for (const entry of await this.#entries.look(at, room)) {
      if (entry.status === 'rejected') throw entry.reason;
      const found = entry.value === undefined ? [] : [entry.value];
      this.parts.push(...found);
      this.#go({ at: this.#walk.at + 1, parts: this.#walk.parts + found.length });
    }
    return true;
  }

  /** Reads the headers of a part up to their blank line; a part without headers begins with that line. */
  async #headers(): Promise<boolean> {
    const { at } = this.#walk;
    let block = await this.#peek.at(at, peekBytes, peekBytes);
    let end = blankLine(block);
    if (end < 0) {
      block = await this.#peek.at(at, partHeaderBytesMax, partHeaderBytesMax);
      end = blankLine(block);
    }
    if (end < 0) {
      if (block.byteLength < partHeaderBytesMax) return this.#waitOrTruncated();
      throw new PackageBroken(
        'TOO_LARGE',
        at,
        `the headers of a part are above ${partHeaderBytesMax.toString()} bytes`,
      );
    }
    const { contentType, bytes } = parsePartHeaders(block.subarray(0, Math.max(0, end - 4)), at);
    const start = at + end;
    if (bytes !== null && this.#total !== null && start + bytes > this.#total) throw truncated(this.#total);
    return this.#go({
      stage: 'content',
      at: start,
      open: { start, bytes, contentType, kind: kindOf(contentType) },
    });
  }

  /** RFC 2046: the first delimiter may open the package, without a line end before it. */
  async #preamble(): Promise<boolean> {
    const line = `--${this.#walk.boundary}`;
    if (this.#walk.at === 0) {
      const first = (await this.#peek.at(0, line.length, peekBytes)).subarray(0, line.length);
      if (line.startsWith(text(first))) {
        if (first.byteLength < line.length) return this.#waitOrTruncated();
        return this.#delimiter(0, line.length, () => this.#go({ at: 1 }));
      }
    }
    return this.#search(() => {
      if (this.#walk.at <= preambleBytesMax) return;
      throw new PackageBroken('MALFORMED', 0, 'the boundary of the package does not come where it begins');
    });
  }

  /** Data ends where its headers say, or at the next delimiter if they say nothing. */
  #content(open: OpenPart | null): Promise<boolean> {
    if (open?.bytes != null) return this.#jump(open.start + open.bytes);
    return this.#search(() => {
      if (open !== null && this.#walk.at - open.start > partBytesMax) throw tooLarge(open.start);
    });
  }

  /** Jumps over data of a known length, behind which the delimiter has to stand. */
  async #jump(end: number): Promise<boolean> {
    if (this.#total !== null && end > this.#total) throw truncated(this.#total);
    const line = `\r\n--${this.#walk.boundary}`;
    const found = (await this.#peek.at(end, line.length, peekBytes)).subarray(0, line.length);
    if (!line.startsWith(text(found))) throw noDelimiter(end);
    if (found.byteLength < line.length) return this.#waitOrTruncated();
    return this.#delimiter(end, end + line.length, () => {
      throw noDelimiter(end);
    });
  }

  /** Searches the next delimiter from where the walk stands; `check` throws when that is too far. */
  async #search(check: () => void): Promise<boolean> {
    const line = `\r\n--${this.#walk.boundary}`;
    const block = await this.#peek.at(this.#walk.at, line.length, searchBytes);
    const found = asBuffer(block).indexOf(line, 0, 'latin1');
    // What may be the beginning of a delimiter stays for the next look.
    const passed = found < 0 ? Math.max(0, block.byteLength - line.length + 1) : found;
    const at = this.#walk.at + passed;
    this.#go({ at });
    check();
    if (found >= 0) return this.#delimiter(at, at + line.length, () => this.#go({ at: at + 1 }));
    return at - passed + block.byteLength < this.#peek.published || this.#waitOrTruncated();
  }

  /** Ends the open part at `end` when what stands at `behind` makes it a delimiter. */
  async #delimiter(end: number, behind: number, otherwise: () => boolean): Promise<boolean> {
    const { open, parts } = this.#walk;
    const line = delimiterEnd(await this.#peek.at(behind, DELIMITER_END_BYTES, peekBytes));
    if (line.kind === 'more') return this.#waitOrTruncated();
    if (line.kind === 'none') return otherwise();
    if (open !== null) {
      if (parts >= partsMax) {
        throw new PackageBroken('TOO_LARGE', end, `the package has more than ${partsMax.toString()} parts`);
      }
      this.parts.push(partOf(open, end - open.start));
    }
    const found = open === null ? parts : parts + 1;
    if (line.kind === 'close' && found === 0)
      throw new PackageBroken('EMPTY', end, 'the package has no part');
    const stage = line.kind === 'close' ? 'epilogue' : 'headers';
    return this.#go({ stage, at: behind + line.bytes, open: null, parts: found });
  }

  /**
   * RFC 2046 has what follows ignored. What is too long for that, or holds a delimiter, is parts that
   * somebody meant to send: they must not go missing in silence.
   */
  async #epilogue(): Promise<boolean> {
    const { at, boundary } = this.#walk;
    if ((this.#total ?? this.#peek.published) - at > epilogueBytesMax) throw moreFollows(at);
    if (!this.#over()) return false;
    const block = asBuffer(await this.#peek.at(at, epilogueBytesMax, epilogueBytesMax));
    const line = `\r\n--${boundary}`;
    let found = block.indexOf(line, 0, 'latin1');
    while (found >= 0) {
      if (delimiterEnd(block.subarray(found + line.length)).kind !== 'none') throw moreFollows(at);
      found = block.indexOf(line, found + 1, 'latin1');
    }
    return this.#go({ stage: 'done' });
  }

  #over(): boolean {
    return this.#total !== null && this.#peek.published >= this.#total;
  }

  #waitOrTruncated(): false {
    if (this.#over()) throw truncated(this.#total ?? 0);
    return false;
  }

  #go(change: Partial<PackageWalk>): true {
    this.#walk = { ...this.#walk, ...change };
    return true;
  }
}

/** An open part whose data is whole now. */
function partOf({ start, contentType, kind }: OpenPart, bytes: number): Part {
  return { start, bytes, contentType, kind, origin: 'part', entry: null, why: null };
}

/** What is no report by its type is inspected as an instance: the inspection sees what it is. */
function kindOf(contentType: string): PartKind {
  return isReportType(contentType) ? 'report' : 'instance';
}

/** Where the data begins behind a block of headers; -1 when its blank line is not there. */
function blankLine(block: Uint8Array): number {
  if (block[0] === 0x0d && block[1] === 0x0a) return 2;
  const found = asBuffer(block).indexOf('\r\n\r\n', 0, 'latin1');
  return found < 0 ? -1 : found + 4;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One character a byte. */
function text(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('latin1');
}

function truncated(total: number): PackageBroken {
  return new PackageBroken('TRUNCATED', total, 'the upload ends before its package does');
}

function noDelimiter(at: number): PackageBroken {
  return new PackageBroken('MALFORMED', at, 'no delimiter follows where the Content-Length of a part ends');
}

function moreFollows(at: number): PackageBroken {
  return new PackageBroken('MALFORMED', at, 'more follows behind the end of the package');
}

function tooLarge(at: number): PackageBroken {
  return new PackageBroken(
    'TOO_LARGE',
    at,
    `a part is larger than ${(partBytesMax / 1024 ** 3).toString()} GiB`,
  );
}
