import { countText } from './amount.ts';
import type { ReportForm } from './bsn-report-forms.ts';
import type { FileRow, GroupRow, Summary } from './bsn-report-rows.ts';
import type { Tally } from './bsn-report-tally.ts';
import { REPORT_LINES_MAX } from './limits.ts';
import { plain } from './problem.ts';
import { tableLines } from './table.ts';

/** Lines to show, and how many there were. */
class Shown {
  readonly rows: string[][] = [];
  count = 0;

  add(cells: () => string[]): void {
    this.count += 1;
    if (this.rows.length < REPORT_LINES_MAX) this.rows.push(cells());
  }

  /** Nothing when there is none of it. */
  lines(title: string, head: readonly string[]): string[] {
    if (this.count === 0) return [];
    const more = this.count - this.rows.length;
    const rest = more > 0 ? [`and ${more.toString()} more: --format csv has them all`] : [];
    return [title, ...tableLines(head, this.rows), ...rest, ''];
  }
}

/** The report for a person: what needs attention, then how much of everything there is. */
export class ReportTable implements ReportForm {
  readonly #tally: Tally;
  readonly #files = new Shown();

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  begin(): string[] {
    return [];
  }

  file({ file, entry, problem, detail }: FileRow): string[] {
    if (problem === null) return [];
    this.#files.add(() => [problem, plain(entry === null ? file : `${file}: ${entry}`), plain(detail ?? '')]);
    return [];
  }

  end(): string[] {
    const tally = this.#tally;
    const studies = new Shown();
    for (const row of tally.groups()) {
      const standing = tally.standingOf(row.patient) === 'conflict' ? 'conflict' : row.bsn;
      const isFine = standing === 'found' && row.invalid + row.foreign + row.signed === 0;
      if (row.level === 'study' && !isFine) studies.add(() => studyCells(row, standing));
    }
    const numbers = tally.showsNumbers ? ['PATIENT ID', 'BSN'] : [];
    const head = [
      'PATIENT',
      'STUDY',
      'INSTANCES',
      'BSN',
      'INVALID',
      'FOREIGN',
      'SIGNED',
      'FOUND IN',
      ...numbers,
    ];
    return [
      ...studies.lines('Studies that need attention', head),
      ...this.#files.lines('Files that are no instances', ['WHY', 'FILE', '']),
      ...summaryLines(tally.summary()),
    ];
  }
}

function studyCells(row: GroupRow, standing: GroupRow['bsn']): string[] {
  const found = row.findings.map(({ source, confidence }) => `${source} ${confidence}`);
  const { numbers } = row;
  return [
    row.patient?.toString() ?? '-',
    row.studyInstanceUid || '-',
    row.instances.toString(),
    standing === 'partly' ? `${row.found.toString()} of ${row.instances.toString()}` : standing,
    row.invalid.toString(),
    row.foreign.toString(),
    row.signed.toString(),
    found.join(', ') || '-',
    ...(numbers === undefined ? [] : [plain(numbers.patientId), numbers.bsn.join(' ')]),
  ];
}

/** How much of everything there is. */
export function summaryLines(summary: Summary): string[] {
  const { bsn, percent } = summary;
  const share = (name: string, count: number, of: number): string[] => [
    name,
    count.toString().padStart(9),
    of.toFixed(1).padStart(7),
  ];
  const rows = [
    share('the BSN is found', bsn.found, percent.found),
    ...summary.findings.map((one) =>
      share(`  in ${one.source}, ${one.confidence}`, one.instances, one.percent),
    ),
    share('a number that may be one', bsn.hint, percent.hint),
    share('the BSN is missing', bsn.missing, percent.missing),
    share('two different BSNs', bsn.conflict, percent.conflict),
  ];
  const counts = [
    ['a BSN that is none', summary.invalid],
    ['foreign identity inside', summary.foreign],
    ['signed', summary.signed],
  ] as const;
  const whole = (count: number) => (summary.instances === 0 ? 0 : (100 * count) / summary.instances);
  const problems = Object.entries(summary.problems).map(
    ([code, count]) => `${countText(count, 'file')} ${code}`,
  );
  const conflicts = [
    summary.conflictingPatients > 0
      ? `two different BSNs within ${countText(summary.conflictingPatients, 'patient')}`
      : '',
    summary.conflictingStudies > 0
      ? `two different BSNs within ${summary.conflictingStudies.toString()} of the studies`
      : '',
    summary.ungrouped > 0
      ? `${countText(summary.ungrouped, 'instance')} of more patients or studies than are told apart`
      : '',
  ];
  return [
    `${countText(summary.files, 'file')}, ${countText(summary.instances, 'instance')}, ` +
      `${countText(summary.patients, 'patient')}, ${studiesText(summary.studies)}`,
    ...tableLines(
      ['', 'INSTANCES', '      %'],
      [...rows, ...counts.map(([name, count]) => share(name, count, whole(count)))],
    ),
    ...conflicts.filter((line) => line !== ''),
    ...problems,
  ];
}

function studiesText(count: number): string {
  return count === 1 ? '1 study' : `${count.toString()} studies`;
}
