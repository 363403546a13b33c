import type { ReportLanguage } from './printed-report.ts';
import type { Words } from './words.ts';

/** Date, time and offset as DICOM's DA and DT and HL7's TS write them: digits only, as many as are known. */
const MOMENT = /^(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\d{2})?(?:\.\d*)?)?)?)?)?([+-]\d{4})?$/;

/** 29-02-2024 in Dutch, 2024-02-29 in English, with the time behind it if there is one. What is no date stays as it is. */
export function dateText(value: string, language: ReportLanguage): string {
  const found = MOMENT.exec(value);
  if (found === null) return value;
  const [, year, month, day, hour, minute, second, offset] = found;
  const parts = [year, month, day].filter((part) => part !== undefined);
  const date = (language === 'nl' ? parts.toReversed() : parts).join('-');
  const time = [hour, minute, second].filter((part) => part !== undefined).join(':');
  return [date, time, offset && `(UTC${offset})`].filter((part) => part).join(' ');
}

/** 09:30:15 from a TM. What is no time stays as it is. */
export function timeText(value: string): string {
  const found = /^(\d{2})(?:(\d{2})(?:(\d{2})(?:\.\d*)?)?)?$/.exec(value);
  return found === null
    ? value
    : found
        .slice(1)
        .filter((part) => part !== undefined)
        .join(':');
}

/** `Berg, dr. Anna` from a PN (PS3.5 section 6.2.1): family name, then prefix, given and middle name, suffix. */
export function nameText(value: string): string {
  const groups = value.split('=').map((group) => group.trim());
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = (
    groups.find((group) => group !== '') ?? ''
  )
    .split('^')
    .map((part) => part.trim());
  const others = [prefix, given, middle, suffix].filter((part) => part !== '').join(' ');
  return [family, others].filter((part) => part !== '').join(', ');
}

/** (0010,0040) in words; HL7's codes are the same but for UN. */
export function sexText(value: string, words: Words): string {
  const known: Readonly<Record<string, string>> = {
    M: words.male,
    F: words.female,
    O: words.other,
    UN: words.other,
  };
  return known[value] ?? value;
}

const BEGINNING = new Date(0);

/** A moment as Date, read as UTC: 1970 when there is none. Only for what has to be the same each time. */
export function momentOf(value: string): Date {
  const found = MOMENT.exec(value);
  if (found === null) return BEGINNING;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  const moment = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return year < 1900 || Number.isNaN(moment.getTime()) ? BEGINNING : moment;
}
