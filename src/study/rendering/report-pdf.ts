import PDFDocument from 'pdfkit';
import { tooLong } from './fault.ts';
import { dejaVuSans, type Fonts } from './fonts.ts';
import { footCharactersMax, pagesMax, textCharactersMax } from './limits.ts';
import type { Block, PrintedReport } from './printed-report.ts';
import { ShownText } from './shown-text.ts';
import { wordsOf } from './words.ts';

/** All lengths are points, 72 to an inch. */
const MARGIN = 57;
/** Room below the text for the foot of a page. */
const MARGIN_BOTTOM = 72;
const LABEL_WIDTH = 110;
const INDENT = 14;
/** Text that is deeper stands below the last: a line has to stay readable. */
const INDENTS_MAX = 8;
const SIZE = { title: 15, heading: [12, 11, 10], text: 9.5, foot: 7.5 } as const;

/**
 * Lays a report out on A4: PDF/A-2b with its fonts inside, the same bytes each time for the same report and
 * `sourceSha256` with one build of Node and pdfkit.
 *
 * @throws ReportUnreadable when it has more than 200 pages
 */
export function reportPdf(report: PrintedReport, sourceSha256: Uint8Array): Buffer {
  return new Page(report, sourceSha256).render();
}

type Pdf = InstanceType<typeof PDFDocument>;

class Page {
  readonly #report: PrintedReport;
  readonly #shown = new ShownText();
  readonly #pdf: Pdf;

  constructor(report: PrintedReport, sourceSha256: Uint8Array) {
    if (charactersOf(report) > textCharactersMax) throw tooLong();
    const fonts = dejaVuSans();
    this.#report = report;
    this.#pdf = new PDFDocument({
      size: 'A4',
      margins: { top: MARGIN, left: MARGIN, right: MARGIN, bottom: MARGIN_BOTTOM },
      // The page numbers say how many there are.
      bufferPages: true,
      subset: 'PDF/A-2b',
      pdfVersion: '1.7',
      lang: report.language,
      font: '', // none of its own
      // No text of the report: pdfkit does not escape what it repeats in the XML of its metadata. The digest
      // is in the document's ID, which pdfkit makes of all this.
      info: {
        Producer: 'Sluis',
        Creator: 'Sluis',
        Title: wordsOf(report.language).report,
        Keywords: `SHA-256 ${Buffer.from(sourceSha256).toString('hex')}`,
        CreationDate: report.madeAt,
      },
    });
    this.#pdf.registerFont('regular', fonts.regular).registerFont('bold', fonts.bold);
    let pages = 1;
    this.#pdf.on('pageAdded', () => {
      pages += 1;
      if (pages > pagesMax) throw tooLong();
    });
  }

  render(): Buffer {
    const pdf = this.#pdf;
    // What cannot be shown is counted before anything is written: the note stands above the text.
    const blocks = this.#report.blocks.map((block) => this.#shownBlock(block));
    this.#head();
    for (const block of blocks) this.#block(block);
    this.#feet();
    pdf.end();
    // A stream that nobody listens to keeps what was pushed, and everything was: pdfkit works without waiting.
    const bytes: unknown = pdf.read();
    if (!(bytes instanceof Buffer) || bytes.lastIndexOf('%%EOF') < bytes.byteLength - 8) {
      throw new Error('pdfkit did not end its document');
    }
    return bytes;
  }

  #shownBlock(block: Block): Block {
    const text = this.#shown.of(block.text);
    return block.kind === 'entry'
      ? { ...block, text, label: this.#shown.of(block.label) }
      : { ...block, text };
  }

  #head(): void {
    const report = this.#report;
    const words = wordsOf(report.language);
    const institution = this.#shown.of(report.institution);
    const title = this.#shown.of(report.title);
    const head = report.head.map(([label, text]) => [label, this.#shown.of(text)] as const);
    const status = this.#shown.of(report.status);

    if (institution !== '') this.#line(institution, SIZE.heading[1], 'bold', 0);
    this.#line(title, SIZE.title, 'bold', 0);
    this.#pdf.moveDown(0.3);
    for (const [label, text] of head) if (text !== '') this.#labelled(label, text);
    this.#labelled(words.status, status, 'bold');
    if (this.#shown.replaced > 0) {
      this.#pdf.moveDown(0.3);
      this.#line(`${words.replaced} ${this.#shown.replaced.toString()}.`, SIZE.text, 'bold', 0);
    }
    const { x, y, width } = this.#column(0);
    this.#pdf
      .moveTo(x, y + 6)
      .lineTo(x + width, y + 6)
      .lineWidth(0.5)
      .stroke();
    this.#pdf.y = y + 14;
  }

  #block(block: Block): void {
    if (block.kind === 'heading') {
      const size = SIZE.heading[Math.min(block.depth, SIZE.heading.length - 1)] ?? SIZE.text;
      // A heading does not stand alone at the foot of a page.
      if (this.#pdf.y + 4 * size > this.#pdf.page.height - MARGIN_BOTTOM) this.#pdf.addPage();
      else this.#pdf.moveDown(0.4);
      this.#line(block.text, size, 'bold', block.depth);
    } else if (block.kind === 'text') {
      this.#line(block.text, SIZE.text, 'regular', block.depth);
      this.#pdf.moveDown(0.3);
    } else {
      const { x, y, width } = this.#column(block.depth);
      this.#font('bold', SIZE.text);
      if (block.label !== '') this.#pdf.text(`${block.label}: `, x, y, { width, continued: true });
      this.#font('regular', SIZE.text);
      if (block.label === '') this.#pdf.text(block.text, x, y, { width });
      else this.#pdf.text(block.text);
    }
  }

  /** On each page: whose report it is, what it was made from, and which page of how many. */
  #feet(): void {
    const pdf = this.#pdf;
    const { patientLine, madeFrom, language } = this.#report;
    const words = wordsOf(language);
    // Set once for each page; of what does not fit on the line no more is needed.
    const patient = new ShownText().of(patientLine.slice(0, footCharactersMax));
    const made = `${words.madeFrom} ${new ShownText().of(madeFrom.slice(0, footCharactersMax))}`;
    const { count } = pdf.bufferedPageRange();
    for (let page = 0; page < count; page++) {
      pdf.switchToPage(page);
      // Without this, text below the margin begins a new page.
      pdf.page.margins.bottom = 0;
      const { x, width } = this.#column(0);
      const y = pdf.page.height - MARGIN_BOTTOM + 18;
      const number = `${words.page} ${(page + 1).toString()} ${words.of} ${count.toString()}`;
      this.#font('regular', SIZE.foot);
      const numberWidth = pdf.widthOfString(number) + INDENT;
      pdf.text(number, x, y, { width, align: 'right', lineBreak: false });
      pdf.text(patient, x, y, { width: width - numberWidth, height: SIZE.foot, ellipsis: true });
      pdf.text(made, x, y + 1.5 * SIZE.foot, { width, height: 3 * SIZE.foot, ellipsis: true });
    }
  }

  #line(text: string, size: number, weight: keyof Fonts, depth: number): void {
    const { x, y, width } = this.#column(depth);
    this.#font(weight, size);
    this.#pdf.text(text, x, y, { width });
  }

  #labelled(label: string, text: string, weight: keyof Fonts = 'regular'): void {
    const { x, y, width } = this.#column(0);
    this.#font('regular', SIZE.text);
    this.#pdf.text(label, x, y, { width: LABEL_WIDTH, lineBreak: false });
    this.#font(weight, SIZE.text);
    this.#pdf.text(text, x + LABEL_WIDTH, y, { width: width - LABEL_WIDTH });
  }

  #column(depth: number): { readonly x: number; readonly y: number; readonly width: number } {
    const { page, y } = this.#pdf;
    const indent = Math.min(depth, INDENTS_MAX) * INDENT;
    return { x: MARGIN + indent, y, width: page.width - 2 * MARGIN - indent };
  }

  #font(weight: keyof Fonts, size: number): void {
    this.#pdf.font(weight).fontSize(size);
  }
}

/** Of all that is set, but for what is set on each page. */
function charactersOf({ institution, title, status, head, blocks }: PrintedReport): number {
  const inHead = head.reduce((sum, [label, text]) => sum + label.length + text.length, 0);
  const inBlocks = blocks.reduce(
    (sum, block) => sum + block.text.length + (block.kind === 'entry' ? block.label.length : 0),
    0,
  );
  return institution.length + title.length + status.length + inHead + inBlocks;
}
