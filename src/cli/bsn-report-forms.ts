import { csvHead, csvRow } from './bsn-report-csv.ts';
import type { FileRow } from './bsn-report-rows.ts';
import { ReportTable } from './bsn-report-table.ts';
import type { Tally } from './bsn-report-tally.ts';

/** A report as lines: the first, those of each file as it is read, and those that are known at the end. */
export interface ReportForm {
  begin(): Iterable<string>;
  file(row: FileRow): Iterable<string>;
  end(): Iterable<string>;
}

export const FORMATS = ['table', 'json', 'csv'] as const;

export function formOf(format: (typeof FORMATS)[number], tally: Tally): ReportForm {
  switch (format) {
    case 'table':
      return new ReportTable(tally);
    case 'json':
      return {
        begin: () => [],
        file: (row) => [JSON.stringify(row)],
        *end() {
          for (const row of tally.groups()) yield JSON.stringify(row);
          yield JSON.stringify(tally.summary());
        },
      };
    case 'csv':
      return {
        begin: () => [csvHead(tally.showsNumbers)],
        file: (row) => [csvRow(row)],
        *end() {
          for (const row of tally.groups()) yield csvRow(row);
        },
      };
  }
}
