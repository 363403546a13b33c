import { dateText, nameText, timeText } from './dates-names.ts';
import { pageHead } from './page-head.ts';
import type { Block, PrintedReport, ReportLanguage } from './printed-report.ts';
import type { SrDocument, SrItem, SrValue } from './sr-document.ts';
import { type Words, wordsOf } from './words.ts';

/** Puts a structured report into the words of a page. Every text of it is there, in its order. */
export function reportOfSr(document: SrDocument, language: ReportLanguage): PrintedReport {
  const { patient } = document;
  return {
    ...pageHead(
      {
        institution: document.institution,
        ...patient,
        study: document.studyDescription,
        studyDate: document.studyDate,
        accession: document.accession,
        author: document.authors.map(nameText).join('; '),
        earlier: document.earlier.join(', '),
        reportAt: document.contentDate + (document.contentDate === '' ? '' : document.contentTime),
      },
      language,
    ),
    title: document.title === '' ? wordsOf(language).report : document.title,
    status: srStatus(document, language),
    blocks: blocksOf(document.content, 0, { language, day: document.contentDate }),
    madeFrom: `SOP Instance UID ${document.sopInstanceUid}`,
  };
}

/**
 * The flags of PS3.3 table C.17-2 as a sentence: `Definitief, geverifieerd door Groot, dr. Eva op 29-02-2024`.
 *
 * Only a complete and verified report that is not called preliminary is final here: who reads the word acts on it. Of
 * any other that is flagged FINAL it says who calls it that. A value that the standard does not have stands as it is.
 */
export function srStatus(document: SrDocument, language: ReportLanguage): string {
  const words = wordsOf(language);
  const { completion, verification, preliminary } = document;
  const verified = verification === 'VERIFIED';
  const final = completion === 'COMPLETE' && verified && (preliminary === 'FINAL' || preliminary === '');
  const parts = [
    final ? words.final : preliminary === 'PRELIMINARY' ? words.preliminary : '',
    final ? '' : inWords(completion, { COMPLETE: words.complete, PARTIAL: words.partial }),
    verified
      ? verifiedBy(document, words, language)
      : inWords(verification, { UNVERIFIED: words.unverified }),
    final ? '' : inWords(preliminary, { FINAL: words.calledFinal, PRELIMINARY: '' }),
  ].filter((part) => part !== '');
  const said = parts.length === 0 ? words.statusUnknown : parts.join(', ');
  const because = document.completionDescription === '' ? '' : ` (${document.completionDescription})`;
  return said.charAt(0).toUpperCase() + said.slice(1) + because;
}

function inWords(flag: string, known: Readonly<Record<string, string>>): string {
  return Object.hasOwn(known, flag) ? (known[flag] ?? '') : flag;
}

function verifiedBy({ observers }: SrDocument, words: Words, language: ReportLanguage): string {
  if (observers.length === 0) return words.verified;
  const each = observers.map(({ name, organization, at }) => {
    const when = at === '' ? '' : ` ${words.on} ${dateText(at, language)}`;
    return [nameText(name), organization].filter((part) => part !== '').join(', ') + when;
  });
  return `${words.verifiedBy} ${each.join('; ')}`;
}

/** What a line depends on beside its own item. */
interface Around {
  readonly language: ReportLanguage;
  /** The report's own, as DA. */
  readonly day: string;
}

function blocksOf(items: readonly SrItem[], depth: number, around: Around): Block[] {
  return items.flatMap((item) => [
    ...ownBlocks(item, depth, around),
    ...blocksOf(
      item.children,
      item.value.kind === 'container' && item.concept === '' ? depth : depth + 1,
      around,
    ),
  ]);
}

/** A text of one line that belongs to another item, as an observer's name does, stands behind its label. */
const ENTRY_CHARACTERS_MAX = 80;

function ownBlocks(item: SrItem, depth: number, around: Around): Block[] {
  const { relationship, value } = item;
  const words = wordsOf(around.language);
  const label = labelOf(item, words, around);
  if (value.kind === 'container') return label === '' ? [] : [{ kind: 'heading', depth, text: label }];
  const text = valueText(value, words, around.language);
  const short = relationship !== 'CONTAINS' && text.length <= ENTRY_CHARACTERS_MAX && !/[\r\n]/.test(text);
  if (value.kind !== 'text' || short) return [{ kind: 'entry', depth, label, text }];
  // Whoever reads a report reads its texts: the name stands above, as a heading does.
  const above: Block[] = label === '' ? [] : [{ kind: 'heading', depth, text: label }];
  return [...above, { kind: 'text', depth, text }];
}

/** When something was observed stands there where it was another day: most items repeat the report's own. */
function labelOf(
  { relationship, concept, observedAt }: SrItem,
  words: Words,
  { language, day }: Around,
): string {
  const name = [relationText(relationship, words), concept].filter((part) => part !== '').join(': ');
  if (observedAt === '' || observedAt.slice(0, 8) === day) return name;
  return `${name} (${words.observedOn} ${dateText(observedAt, language)})`.trimStart();
}

/** The relationships that change what a line means (PS3.3 table C.17.3-8); the others say where it belongs. */
function relationText(relationship: string, words: Words): string {
  if (relationship === 'INFERRED FROM') return words.inferredFrom;
  return relationship === 'SELECTED FROM' ? words.selectedFrom : '';
}

function valueText(
  value: Exclude<SrValue, { kind: 'container' }>,
  words: Words,
  language: ReportLanguage,
): string {
  switch (value.kind) {
    case 'number': {
      const measured =
        value.text === '' ? words.notMeasured : [value.text, value.unit].filter(Boolean).join(' ');
      return value.qualifier === '' ? measured : `${measured} (${value.qualifier})`;
    }
    case 'date':
    case 'datetime':
      return dateText(value.text, language);
    case 'time':
      return timeText(value.text);
    case 'name':
      return nameText(value.text);
    case 'instance':
      return [
        `${words[value.of]} ${value.sopInstanceUid}`,
        value.frames && `${words.frame} ${value.frames}`,
        value.segments && `${words.segment} ${value.segments}`,
        value.shownBy && `${words.shownBy} ${value.shownBy}`,
      ]
        .filter((part) => part !== '')
        .join(', ');
    case 'coordinates':
      return [words.coordinates, value.of].filter((part) => part !== '').join(': ');
    case 'place':
      return `${words.see} ${value.text}`;
    case 'unknown':
      return `${words.notShown}: ${value.of}`;
    case 'text':
    case 'code':
    case 'uid':
      return value.text;
  }
}
