import { encodeItem, encodeSequence, encodeText } from './encode.ts';
import type { ChangeRecord } from './recipe.ts';
import type { Encoding } from './syntaxes.ts';
import { Tag } from './tags.ts';
import { rewritten } from './transcode.ts';

/** (0400,0565): values of another source were put in the place of these (PS3.3 section C.12.1.1.9). */
const COERCE = 'COERCE';

/**
 * One item of (0400,0561): elements as they were, in the order of tags, written as the dataset is, and who
 * changed them. Undefined when one of them cannot be written there.
 */
export function originalAttributesItem(
  elements: readonly Uint8Array[],
  record: ChangeRecord,
  dataset: Encoding,
  inside: Encoding,
): Uint8Array | undefined {
  const priors: Uint8Array[] = [];
  for (const element of elements) {
    const prior = rewritten(element, dataset, inside);
    if (prior === undefined) return undefined;
    priors.push(prior);
  }
  return encodeItem(
    [
      encodeSequence(Tag.modifiedAttributes, [encodeItem(priors, inside)], inside),
      encodeText(Tag.attributeModificationDateTime, 'DT', record.modifiedAt, inside),
      encodeText(Tag.modifyingSystem, 'LO', record.modifyingSystem, inside),
      encodeText(Tag.sourceOfPreviousValues, 'LO', record.source, inside),
      encodeText(Tag.reasonForModification, 'CS', COERCE, inside),
    ],
    inside,
  );
}
