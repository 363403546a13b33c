import { decodeText } from '../../dicom/charset.ts';
import { Tag } from '../../dicom/tags.ts';
import { plainText, trimPadding } from '../../dicom/text.ts';
import { tooLong } from './fault.ts';
import { decodedBytesMax } from './limits.ts';
import type { RawItem } from './raw-item.ts';

/**
 * A dataset or item as text for people. An item may declare a character set of its own; without, it has
 * that of the dataset around it (PS3.3 section C.12.1.1.2).
 */
export class TextItem {
  readonly raw: RawItem;
  readonly #charset: string;
  readonly #decoded: { bytes: number };

  constructor(raw: RawItem, inherited = '', decoded = { bytes: 0 }) {
    this.raw = raw;
    this.#decoded = decoded;
    const own = raw.values.get(Tag.specificCharacterSet);
    this.#charset = own === undefined ? inherited : plainText(own);
  }

  /**
   * The value without padding, '' when it is absent.
   *
   * @throws ReportUnreadable when all that was read of the document is more than its pages hold
   */
  text(tag: number): string {
    const value = this.raw.values.get(tag);
    if (value === undefined) return '';
    this.#decoded.bytes += value.byteLength;
    if (this.#decoded.bytes > decodedBytesMax) throw tooLong();
    return trimPadding(decodeText(value, this.#charset));
  }

  items(sequence: number): TextItem[] {
    return this.raw.items(sequence).map((item) => new TextItem(item, this.#charset, this.#decoded));
  }

  first(sequence: number): TextItem | undefined {
    return this.items(sequence)[0];
  }
}
