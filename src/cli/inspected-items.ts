import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { classify } from '../study/classify.ts';
import { PackageBroken, type PackageFault } from '../study/fault.ts';
import { sniffedFormat } from '../study/format.ts';
import { entryStartBytes, sniffBytes } from '../study/limits.ts';
import type { Part } from '../study/package.ts';
import type { SetAside } from '../study/set-aside.ts';
import { readFully } from './file-bytes.ts';
import { inspectFile, unreadable, withFile } from './inspection.ts';
import { packageParts } from './package-parts.ts';
import { partContent, plainContent } from './part-content.ts';
import { inspectPart, type PartInspection } from './part-inspection.ts';
import { inspectReport, type ReportInspection } from './report-inspection.ts';

/** What is found in a file: itself, or each thing that is in it when it is a package. */
export type InspectedItem = { readonly entry: string | null } & (
  | { readonly is: 'instance'; readonly inspection: PartInspection }
  | { readonly is: 'report'; readonly inspection: ReportInspection }
  /** What of a ZIP goes to no receiver. */
  | { readonly is: 'set-aside'; readonly bytes: number; readonly why: SetAside }
  /** A package that cannot be read any further. */
  | { readonly is: 'broken'; readonly bytes: number; readonly fault: PackageFault }
);

type OnBytes = (bytes: number) => void;

/**
 * Inspects a file as the exchange would: an instance, a report, or a package of them (ZIP or multipart).
 * `entry` is a name within a ZIP, null for what is in none. `onBytes` is told of what was read. Throws
 * InputRefused when it cannot be read.
 */
export async function* inspectedItems(path: string, onBytes: OnBytes): AsyncGenerator<InspectedItem> {
  const looks = await withFile(path, (file) => looksOf(path, file));
  if (looks === 'package') {
    yield* packageItems(path, onBytes);
  } else if (looks === 'instance') {
    yield { is: 'instance', entry: null, inspection: await inspectFile(path, onBytes) };
  } else {
    const inspection = await withFile(path, async (file) => {
      const { size } = await file.stat();
      return await inspectReport(
        looks.mediaType,
        plainContent(file, { path, start: 0, bytes: size }, onBytes),
      );
    });
    yield { is: 'report', entry: null, inspection };
  }
}

/** By its first bytes, and as one of a ZIP by its name: a text is a report when it is called one. */
async function looksOf(
  path: string,
  file: FileHandle,
): Promise<'package' | 'instance' | { mediaType: string }> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(entryStartBytes);
  const head = buffer.subarray(0, await readFully(file, buffer, 0, Math.min(size, entryStartBytes)));
  if (isPackage(head)) return 'package';
  const found = classify(basename(path), size, head);
  return found.kind === 'report' ? { mediaType: found.contentType } : 'instance';
}

function isPackage(head: Uint8Array): boolean {
  try {
    return ['archive', 'multipart'].includes(sniffedFormat(head.subarray(0, sniffBytes)).kind);
  } catch (thrown) {
    if (thrown instanceof PackageBroken) return false;
    throw thrown;
  }
}

async function* packageItems(path: string, onBytes: OnBytes): AsyncGenerator<InspectedItem> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size } = await file.stat();
    for await (const item of packageParts(file, size, () => undefined)) {
      if ('part' in item) yield await partItem(path, file, item.part, onBytes);
      else yield { is: 'broken', entry: null, bytes: size, fault: item.fault };
    }
  } catch (thrown) {
    throw unreadable(path, thrown);
  } finally {
    await file?.close();
  }
}

async function partItem(
  path: string,
  file: FileHandle,
  part: Part,
  onBytes: OnBytes,
): Promise<InspectedItem> {
  const { kind, contentType, why } = part;
  const entry = part.entry?.name ?? null;
  if (kind === 'set-aside') {
    onBytes(part.bytes);
    return { is: kind, entry, bytes: part.entry?.bytes ?? part.bytes, why: why ?? 'unknown' };
  }
  const content = partContent(path, file, part, onBytes);
  return kind === 'report'
    ? { is: kind, entry, inspection: await inspectReport(contentType, content) }
    : { is: kind, entry, inspection: await inspectPart(content) };
}
