import { trimmedText } from './dicom-file.ts';
import { type WalkedItem, walk } from './dicom-walk.ts';

/** An item of Other Patient IDs Sequence (0010,1002) as it was read; undefined is an absent element. */
export interface OtherPatientId {
  /** (0010,0020) */
  readonly patientId: string | undefined;
  /** (0010,0021) */
  readonly issuer: string | undefined;
  /** (0010,0022) */
  readonly type: string | undefined;
  /** (0040,0032) in the first item of (0010,0024) */
  readonly universalEntityId: string | undefined;
  /** (0040,0033) there */
  readonly universalEntityIdType: string | undefined;
  /** (0040,0035) there */
  readonly identifierTypeCode: string | undefined;
}

const QUALIFIERS = 0x0010_0024;

export function readOtherPatientId(bytes: Buffer, item: WalkedItem): OtherPatientId {
  const texts = new Map<number, string>();
  for (const { tag, valueAt, valueEnd, items } of elementsOf(bytes, item)) {
    const [qualifier] = tag === QUALIFIERS ? (items ?? []) : [];
    if (qualifier === undefined) {
      texts.set(tag, trimmedText(bytes, valueAt, valueEnd));
      continue;
    }
    for (const inner of elementsOf(bytes, qualifier)) {
      texts.set(inner.tag, trimmedText(bytes, inner.valueAt, inner.valueEnd));
    }
  }
  return {
    patientId: texts.get(0x0010_0020),
    issuer: texts.get(0x0010_0021),
    type: texts.get(0x0010_0022),
    universalEntityId: texts.get(0x0040_0032),
    universalEntityIdType: texts.get(0x0040_0033),
    identifierTypeCode: texts.get(0x0040_0035),
  };
}

const elementsOf = (bytes: Buffer, item: WalkedItem) =>
  walk(bytes, item.valueAt, item.valueEnd, item.form, new Set([QUALIFIERS]));
