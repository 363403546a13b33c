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
        author: '',
        reportAt: document.contentDate + (document.contentDate === '' ? '' : document.contentTime),
      },
      language,
    ),
    title: document.title === '' ? wordsOf(language).report : document.title,
    status: srStatus(document, language),
    blocks: blocksOf(document.content, 0, language),
    madeFrom: `SOP Instance UID ${document.sopInstanceUid}`,
  };
}

/**
 * The flags of PS3.3 table C.17-2 as a sentence: `Definitief, geverifieerd door Groot, dr. Eva op 29-02-2024`.
 * Without (0040,A496), a complete and verified report is called final: nobody has anything to add.
 */
export function srStatus(document: SrDocument, language: ReportLanguage): string {
  const words = wordsOf(language);
  const verified = document.verification === 'VERIFIED';
  const complete = document.completion === 'COMPLETE';
  const final = document.preliminary === 'FINAL' || (document.preliminary === '' && complete && verified);
  const parts: string[] = [];
  if (final) parts.push(words.final);
  if (document.preliminary === 'PRELIMINARY') parts.push(words.preliminary);
  if (complete && !(final && verified)) parts.push(words.complete);
  if (document.completion === 'PARTIAL') parts.push(words.partial);
  if (verified) parts.push(verifiedBy(document, words, language));
  if (document.verification === 'UNVERIFIED') parts.push(words.unverified);
  if (parts.length === 0) return words.statusUnknown;
  const said = parts.join(', ');
  const because = document.completionDescription === '' ? '' : ` (${document.completionDescription})`;
  return said.charAt(0).toUpperCase() + said.slice(1) + because;
}

function verifiedBy({ observers }: SrDocument, words: Words, language: ReportLanguage): string {
  if (observers.length === 0) return words.verified;
  const each = observers.map(({ name, organization, at }) => {
    const when = at === '' ? '' : ` ${words.on} ${dateText(at, language)}`;
    return [nameText(name), organization].filter((part) => part !== '').join(', ') + when;
  });
  return `${words.verifiedBy} ${each.join('; ')}`;
}

function blocksOf(items: readonly SrItem[], depth: number, language: ReportLanguage): Block[] {
  return items.flatMap((item) => [
    ...ownBlocks(item, depth, language),
    ...blocksOf(
      item.children,
      item.value.kind === 'container' && item.concept === '' ? depth : depth + 1,
      language,
    ),
  ]);
}

/** A text of one line that belongs to another item, as an observer's name does, stands behind its label. */
const ENTRY_CHARACTERS_MAX = 80;

function ownBlocks(
  { relationship, concept, value }: SrItem,
  depth: number,
  language: ReportLanguage,
): Block[] {
  const words = wordsOf(language);
  const label = [relationText(relationship, words), concept].filter((part) => part !== '').join(': ');
  if (value.kind === 'container') return label === '' ? [] : [{ kind: 'heading', depth, text: label }];
  const text = valueText(value, words, language);
  const short = relationship !== 'CONTAINS' && text.length <= ENTRY_CHARACTERS_MAX && !/[\r\n]/.test(text);
  if (value.kind !== 'text' || short) return [{ kind: 'entry', depth, label, text }];
  // Whoever reads a report reads its texts: the name stands above, as a heading does.
  const above: Block[] = label === '' ? [] : [{ kind: 'heading', depth, text: label }];
  return [...above, { kind: 'text', depth, text }];
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
    case 'instance': {
      const named = `${words[value.of]} ${value.sopInstanceUid}`;
      return value.frames === '' ? named : `${named}, ${words.frame} ${value.frames}`;
    }
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
