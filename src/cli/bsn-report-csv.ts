import type { FileRow, GroupRow, Numbers } from './bsn-report-rows.ts';

type Cell = string | number | boolean | null;

/** Names of the columns; those of Numbers come behind them, and only when they are asked for. */
const COLUMNS = [
  'level',
  'file',
  'entry',
  'patient',
  'study',
  'series',
  'instance',
  'instances',
  'bsn',
  'found',
  'findings',
  'invalid',
  'foreign',
  'signed',
  'problem',
  'detail',
] as const;
const NUMBERS = ['patient_id', 'issuer_of_patient_id', 'bsn_found'] as const;

export function csvHead(showNumbers: boolean): string {
  return csvLine(showNumbers ? [...COLUMNS, ...NUMBERS] : COLUMNS);
}

/** A row of any level has every column: counts are 0 or 1 for a file, so that they can be summed. */
export function csvRow(row: FileRow | GroupRow): string {
  const findings = row.findings.map(({ source, confidence }) => `${source} ${confidence}`).join('; ');
  const counts = [Number(row.invalid), Number(row.foreign), Number(row.signed)];
  if (row.level !== 'file') {
    const { level, patient, studyInstanceUid, instances, bsn, found, numbers } = row;
    const own = [level, '', '', patient, studyInstanceUid, '', '', instances, bsn, found];
    return csvLine([...own, findings, ...counts, '', '', ...cellsOf(numbers)]);
  }
  const { level, file, entry, patient, studyInstanceUid, seriesInstanceUid, sopInstanceUid, bsn } = row;
  const own = [level, file, entry, patient, studyInstanceUid, seriesInstanceUid, sopInstanceUid];
  const counted = [bsn === null ? 0 : 1, bsn, bsn === 'found' ? 1 : 0];
  return csvLine([...own, ...counted, findings, ...counts, row.problem, row.detail, ...cellsOf(row.numbers)]);
}

function cellsOf(numbers: Numbers | undefined): Cell[] {
  return numbers === undefined ? [] : [numbers.patientId, numbers.issuerOfPatientId, numbers.bsn.join(' ')];
}

/** RFC 4180, without its line feed. */
function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r`;
}

/**
 * A cell that begins like a formula is one to a spreadsheet, which runs it; the name of a file or a Patient ID may
 * come from anybody. An apostrophe before it makes it text. A Dutch spreadsheet parts cells at semicolons, whatever
 * is quoted, so that what stands behind one begins a cell too.
 */
function csvCell(cell: Cell): string {
  const text = cell === null ? '' : cell.toString();
  const harmless = typeof cell === 'string' ? text.replace(/(^|;["\s]*)(?=[=+\-@\t\r\n])/g, "$1'") : text;
  return /[",;\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
