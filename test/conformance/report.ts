import { type Level, type Section, sections } from './check.ts';
import type { Outcome, Report, Result } from './suite.ts';

const signs: Readonly<Record<Outcome, string>> = {
  pass: 'ok',
  fail: 'FAIL',
  warn: 'warn',
  note: 'note',
  'not-offered': '–',
};
const levels: readonly Level[] = ['MUST', 'SHOULD', 'MAY', 'EXTRA'];

/** One line for each check, and what it saw where that is not what the sentence says. */
export function linesOf({ results }: Report): string {
  const width = Math.max(...results.map(({ id }) => id.length));
  return results
    .map(({ id, level, outcome, seen }) =>
      `${signs[outcome].padEnd(4)}  ${level.padEnd(6)}  ${id.padEnd(width)}  ${seen ?? ''}`.trimEnd(),
    )
    .join('\n');
}

/** `MUST 70/72; SHOULD 20/21; …`. */
export function summaryOf({ results }: Report): string {
  return levels
    .map((level) => `${level} ${counted(results.filter((result) => result.level === level))}`)
    .join('; ');
}

/** The checks with such an outcome. */
export const idsOf = ({ results }: Report, wanted: Outcome): string[] =>
  results.filter(({ outcome }) => outcome === wanted).map(({ id }) => id);

/** The checks that did not pass, by outcome. */
export const deviationsOf = (report: Report) => ({
  fail: idsOf(report, 'fail'),
  warn: idsOf(report, 'warn'),
  note: idsOf(report, 'note'),
  notOffered: idsOf(report, 'not-offered'),
});

/** `7/8`: passed, of those that there was something to see of; `–` when there was nothing. */
function counted(results: readonly Result[]): string {
  const seen = results.filter(({ outcome }) => outcome !== 'not-offered');
  const passed = seen.filter(({ outcome }) => outcome === 'pass');
  return seen.length === 0 ? '–' : `${String(passed.length)}/${String(seen.length)}`;
}

const cellOf = (results: readonly Result[]): string =>
  results.every(({ outcome }) => outcome === 'not-offered')
    ? '–'
    : levels.map((level) => counted(results.filter((result) => result.level === level))).join(' · ');

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const head = (cells: readonly string[]): string[] => [row(cells), row(cells.map(() => '---'))];
/** Of what was seen, in a cell. */
const CELL_CHARACTERS_MAX = 90;
const cut = (text: string): string =>
  text.length <= CELL_CHARACTERS_MAX ? text : `${text.slice(0, CELL_CHARACTERS_MAX - 1)}…`;
const plain = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll('\n', ' ');

/** What the server told in its own words is in the JSON. */
const withoutDetail = (seen: string): string => seen.replace(/^(HEAD tells .*?): .*$/s, '$1');

/** The servers side by side: counts by section, then each deviation by name. */
export function markdownOf(reports: readonly (readonly [name: string, report: Report])[]): string {
  const names = reports.map(([name]) => name);
  const all = reports.map(([, { results }]) => results);
  const ids = all[0]?.map(({ id }) => id) ?? [];
  const find = (results: readonly Result[], id: string) => results.find((result) => result.id === id);
  const isDeviation = (outcome: Outcome | undefined) => outcome !== 'pass' && outcome !== 'not-offered';
  const bySection = sections.map((section: Section) =>
    row([section, ...all.map((results) => cellOf(results.filter((result) => result.section === section)))]),
  );
  const deviations = ids
    .filter((id) => all.some((results) => isDeviation(find(results, id)?.outcome)))
    .map((id) =>
      row([
        `${id} (${all[0]?.find((result) => result.id === id)?.level ?? ''})`,
        ...all.map((results) => {
          const { outcome = 'not-offered', seen = '' } = find(results, id) ?? {};
          return isDeviation(outcome) ? `**${outcome}**: ${plain(cut(withoutDetail(seen)))}` : signs[outcome];
        }),
      ]),
    );
  return [
    'Passed of those that a server offers: MUST · SHOULD · MAY · EXTRA (no sentence of tus 1.0.0).',
    '',
    ...head(['section', ...names]),
    ...bySection,
    row(['**all**', ...all.map((results) => `**${cellOf(results)}**`)]),
    '',
    ...head(['deviation', ...names]),
    ...deviations,
    '',
  ].join('\n');
}
