import { inflateSync } from 'node:zlib';

/**
 * The text of a PDF as pdfkit writes it, page by page, a line for each piece that is drawn. Reads the file's
 * own objects: fonts by their ToUnicode tables, pages by what they draw. Shares no code with what makes them.
 */
export function pdfText(pdf: Uint8Array): string[] {
  const objects = objectsOf(pdf);
  const tables = new Map<string, string[]>();
  return [...objects.values()]
    .filter(({ head }) => /\/Type \/Page\b/.test(head))
    .map(({ head }) => {
      const resources = objects.get(reference(head, 'Resources'))?.head ?? '';
      for (const [, name = '', font = ''] of resources.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
        const table = objects.get(reference(objects.get(font)?.head ?? '', 'ToUnicode'));
        tables.set(name, unicodeOf(table?.stream.toString('latin1') ?? ''));
      }
      return drawn(objects.get(reference(head, 'Contents'))?.stream.toString('latin1') ?? '', tables);
    });
}

/** Its words in their order. Where a line was broken is of no account. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

interface PdfObject {
  readonly head: string;
  readonly stream: Buffer;
}

function objectsOf(pdf: Uint8Array): Map<string, PdfObject> {
  const bytes = Buffer.from(pdf);
  const text = bytes.toString('latin1');
  const objects = new Map<string, PdfObject>();
  for (const found of text.matchAll(/^(\d+) 0 obj\n/gm)) {
    const from = found.index + found[0].length;
    const head = text.slice(from, text.indexOf('endobj', from)).split('\nstream\n')[0] ?? '';
    const length = Number(/\/Length (\d+)/.exec(head)?.[1] ?? 0);
    const at = from + head.length + '\nstream\n'.length;
    const stored = bytes.subarray(at, at + length);
    const stream = head.includes('/FlateDecode') && length > 0 ? inflateSync(stored) : stored;
    objects.set(found[1] ?? '', { head, stream });
  }
  return objects;
}

function reference(head: string, name: string): string {
  return new RegExp(`/${name} (\\d+) 0 R`).exec(head)?.[1] ?? '';
}

/** What each glyph of a font stands for; a ligature stands for several letters. */
function unicodeOf(table: string): string[] {
  const glyphs: string[] = [];
  for (const [, first = '', targets = ''] of table.matchAll(/<(\w{4})> <\w{4}> \[([^\]]*)\]/g)) {
    let glyph = Number.parseInt(first, 16);
    for (const [, codes = ''] of targets.matchAll(/<([^>]*)>/g)) {
      const units = codes.split(' ').map((code) => Number.parseInt(code, 16));
      glyphs[glyph++] = String.fromCharCode(...units);
    }
  }
  return glyphs;
}

function drawn(content: string, tables: ReadonlyMap<string, string[]>): string {
  let table: readonly string[] = [];
  const lines: string[] = [];
  for (const [, font, text] of content.matchAll(/\/(F\d+) [\d.]+ Tf|\[([^\]]*)\] TJ/g)) {
    if (font !== undefined) table = tables.get(font) ?? [];
    else if (text !== undefined)
      lines.push(
        glyphsOf(text)
          .map((glyph) => table[glyph] ?? '?')
          .join(''),
      );
  }
  return lines.join('\n');
}

function glyphsOf(text: string): number[] {
  const hex = [...text.matchAll(/<([0-9a-f]*)>/g)].map(([, digits]) => digits).join('');
  return (hex.match(/.{4}/g) ?? []).map((code) => Number.parseInt(code, 16));
}
