import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { inflateSync } from 'node:zlib';

/** The bytes of the two fonts that a page is set in, as TrueType. */
export interface Fonts {
  readonly regular: Buffer;
  readonly bold: Buffer;
}

let fonts: Fonts | undefined;

/**
 * DejaVu Sans: free to embed, and with every letter of Latin, Greek and Cyrillic, which the fonts that a PDF
 * need not embed lack (Ł, ő, ĳ). Read once by each thread.
 */
export function dejaVuSans(): Fonts {
  const require = createRequire(import.meta.url);
  fonts ??= {
    regular: unpackWoff(
      readFileSync(require.resolve('@fontsource/dejavu-sans/files/dejavu-sans-latin-400-normal.woff')),
    ),
    bold: unpackWoff(
      readFileSync(require.resolve('@fontsource/dejavu-sans/files/dejavu-sans-latin-700-normal.woff')),
    ),
  };
  return fonts;
}

const WOFF_HEAD_BYTES = 44;
const WOFF_ENTRY_BYTES = 20;
const SFNT_HEAD_BYTES = 12;
const SFNT_ENTRY_BYTES = 16;

/**
 * The TrueType font in a WOFF file (WOFF 1.0 sections 3 to 5). pdfkit reads WOFF itself, but inflates a
 * table each time it looks at it: 1.4 s for a page, where TrueType takes 40 ms.
 */
function unpackWoff(woff: Buffer): Buffer {
  const count = woff.readUInt16BE(12);
  const exponent = Math.floor(Math.log2(count));
  const head = Buffer.alloc(SFNT_HEAD_BYTES + count * SFNT_ENTRY_BYTES);
  head.writeUInt32BE(woff.readUInt32BE(4), 0);
  head.writeUInt16BE(count, 4);
  head.writeUInt16BE(16 * 2 ** exponent, 6);
  head.writeUInt16BE(exponent, 8);
  head.writeUInt16BE(16 * (count - 2 ** exponent), 10);
  const tables: Buffer[] = [];
  let at = head.byteLength;
  for (let index = 0; index < count; index++) {
    const entry = woff.subarray(WOFF_HEAD_BYTES + index * WOFF_ENTRY_BYTES);
    const [offset, packed, bytes] = [entry.readUInt32BE(4), entry.readUInt32BE(8), entry.readUInt32BE(12)];
    const table = woff.subarray(offset, offset + packed);
    const padding = Buffer.alloc((4 - (bytes % 4)) % 4);
    tables.push(packed < bytes ? inflateSync(table) : table, padding);
    const into = head.subarray(SFNT_HEAD_BYTES + index * SFNT_ENTRY_BYTES);
    entry.copy(into, 0, 0, 4);
    into.writeUInt32BE(entry.readUInt32BE(16), 4);
    into.writeUInt32BE(at, 8);
    into.writeUInt32BE(bytes, 12);
    at += bytes + padding.byteLength;
  }
  return Buffer.concat([head, ...tables]);
}
