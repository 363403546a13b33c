import { keys } from '../state/keys.ts';
import type { Instant, UploadPart, UploadRecord } from '../state/records.ts';
import type { Reader, Transaction } from '../state/state.ts';
import { ConcatenationInvalid } from './errors.ts';
import { concatPartsMax, finalsOfPartMax } from './limits.ts';

/** The parts of a final upload and their lengths together. */
export interface Joined {
  readonly parts: readonly UploadPart[];
  readonly length: number;
  /** All of them are received. */
  readonly isWhole: boolean;
}

/**
 * Joins partial uploads (tus 1.0.0, Concatenation) by reference: no byte is read or copied, however large
 * they are. Some may not be received yet (concatenation-unfinished), but their lengths have to be known.
 *
 * Throws ConcatenationInvalid; to who may not see a part it is not there.
 */
export function join(reader: Reader, organization: string, ids: readonly string[]): Joined {
  if (ids.length === 0 || ids.length > concatPartsMax) {
    throw new ConcatenationInvalid(`names 1 to ${concatPartsMax} partial uploads`);
  }
  const uploads = ids.map((id, at) => {
    const upload = reader.get(keys.uploads, id);
    if (upload === undefined || upload.organization !== organization) {
      throw new ConcatenationInvalid(`there is no upload that its part ${at + 1} names`);
    }
    if (!upload.isPartial) {
      throw new ConcatenationInvalid(`its part ${at + 1} is no partial upload`);
    }
    if ((reader.get(keys.finalsOf, id) ?? []).length >= finalsOfPartMax) {
      throw new ConcatenationInvalid(`its part ${at + 1} is in ${finalsOfPartMax} final uploads already`);
    }
    if (upload.length === null) {
      throw new ConcatenationInvalid(`the length of its part ${at + 1} is not known yet: declare it first`);
    }
    return { ...upload, length: upload.length };
  });
  return {
    parts: uploads.map(partOf),
    length: uploads.reduce((sum, { length }) => sum + length, 0),
    isWhole: uploads.every(({ state }) => state === 'received'),
  };
}

function partOf({ id, content, length, state }: UploadRecord): UploadPart {
  if (content.of !== 'object') {
    throw new ConcatenationInvalid('a final upload is no part of another');
  }
  return { upload: id, object: content.object, bytes: state === 'received' ? length : null };
}

/** In the commit that makes a final upload: its parts' bytes live as long as it does. */
export function holdParts(tx: Transaction, { id, content }: UploadRecord): void {
  for (const part of partIds(content)) {
    tx.put(keys.finalsOf, part, [...(tx.get(keys.finalsOf, part) ?? []), id]);
  }
}

/** In the commit that removes it. Returns the parts whose bytes nobody refers to any more. */
export function dropParts(tx: Transaction, { id, content }: UploadRecord): UploadPart[] {
  const orphans: UploadPart[] = [];
  for (const part of partIds(content)) {
    const finals = (tx.get(keys.finalsOf, part) ?? []).filter((final) => final !== id);
    if (finals.length > 0) {
      tx.put(keys.finalsOf, part, finals);
      continue;
    }
    tx.remove(keys.finalsOf, part);
    const known = content.of === 'parts' ? content.parts.find(({ upload }) => upload === part) : undefined;
    if (known !== undefined && tx.get(keys.uploads, part) === undefined) {
      orphans.push(known);
    }
  }
  return orphans;
}

/** True while a final upload refers to the object of this one. */
export function isHeld(reader: Reader, partial: string): boolean {
  return (reader.get(keys.finalsOf, partial) ?? []).length > 0;
}

/** In the commit that makes a part received: the final uploads that are whole with it, received now too. */
export function completeFinals(
  tx: Transaction,
  part: UploadRecord,
  at: Instant,
): { readonly before: UploadRecord; readonly after: UploadRecord }[] {
  return (tx.get(keys.finalsOf, part.id) ?? []).flatMap((id) => {
    const before = tx.get(keys.uploads, id);
    if (before?.content.of !== 'parts' || before.state !== 'receiving') {
      return [];
    }
    const parts = before.content.parts.map((one) =>
      one.upload === part.id ? { ...one, bytes: part.offset } : one,
    );
    const isWhole = parts.every(({ bytes }) => bytes !== null);
    const after: UploadRecord = {
      ...before,
      content: { ...before.content, parts },
      ...(isWhole ? { offset: before.length ?? 0, state: 'received', lastByteAt: at } : {}),
    };
    tx.put(keys.uploads, id, after);
    return isWhole ? [{ before, after }] : [];
  });
}

function partIds(content: UploadRecord['content']): Set<string> {
  return new Set(content.of === 'parts' ? content.parts.map(({ upload }) => upload) : []);
}
