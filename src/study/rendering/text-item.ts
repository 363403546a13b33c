import { decodeText } from '../../dicom/charset.ts';
import { Tag } from '../../dicom/tags.ts';
import { plainText, trimPadding } from '../../dicom/text.ts';
import type { RawItem } from './raw-item.ts';
import { repairedText } from './windows-1252.ts';

/**
 * A dataset or item as text for people. An item may declare a character set of its own; without, it has
 * that of the dataset around it (PS3.3 section C.12.1.1.2).
 */
export class TextItem {
  readonly raw: RawItem;
  readonly #charset: string;

  constructor(raw: RawItem, inherited = '') {
    this.raw = raw;
    const own = raw.values.get(Tag.specificCharacterSet);
    this.#charset = own === undefined ? inherited : plainText(own);
  }

  /** The value without padding, '' when it is absent. */
  text(tag: number): string {
    const value = this.raw.values.get(tag);
    return value === undefined ? '' : repairedText(trimPadding(decodeText(value, this.#charset)));
  }

  items(sequence: number): TextItem[] {
    return this.raw.items(sequence).map((item) => new TextItem(item, this.#charset));
  }

  first(sequence: number): TextItem | undefined {
    return this.items(sequence)[0];
  }
}
