import { type BsnFinding, isBsnIssuer, normalizeBsn } from './bsn.ts';
import { PID3_CHARACTERS_MAX } from './limits.ts';

/**
 * The BSNs in HL7 v2 PID-3 Patient Identifier List, as the field stands in the message with the usual
 * encoding characters (`|^~\&`): `123456782^^^NLMINBIZA^NNNLD~4711^^^ADT1^MR`. Findings come in the order
 * of the repetitions, each number once for each confidence.
 *
 * A repetition claims its number by its assigning authority (CX.4: the name, the OID, or both as an HD).
 * The identifier type NNNLD alone is a hint: it is written beside other national numbers, too. Empty for a
 * field longer than PID3_CHARACTERS_MAX, of which a part would not tell a conflict.
 */
export function bsnInPid3(pid3: string): BsnFinding[] {
  if (pid3.length > PID3_CHARACTERS_MAX) return [];
  const findings = new Map<string, BsnFinding>();
  for (const repetition of pid3.split('~')) {
    const finding = findingIn(repetition);
    if (finding !== undefined) findings.set(`${finding.confidence} ${finding.value}`, finding);
  }
  return [...findings.values()];
}

function findingIn(repetition: string): BsnFinding | undefined {
  const [id = '', checkDigit = '', , authority = ''] = repetition.split('^');
  const number = unescaped(id).trim();
  // Of eight digits beside a check digit nobody knows whether that is their ninth: they did not lose a zero.
  if (checkDigit.trim() !== '' && number.length !== 9) return undefined;
  const value = normalizeBsn(number);
  if (value === undefined) return undefined;
  // Split before it is unescaped: an HD has its own separators, and senders escape those of it that they copy.
  const issuers = authority.split('&').map(unescaped);
  return { value, source: 'pid-3', confidence: isBsnIssuer(...issuers) ? 'issuer' : 'hint' };
}

const SEPARATORS: ReadonlyMap<string, string> = new Map([
  ['F', '|'],
  ['S', '^'],
  ['T', '&'],
  ['R', '~'],
  ['E', '\\'],
]);

/** HL7 v2.5 section 2.7: what stands between two backslashes. Hexadecimal data is ASCII here or no number. */
function unescaped(text: string): string {
  return text.replace(/\\([FSTRE]|X(?:[0-9A-Fa-f]{2})+)\\/g, (_, sequence: string) => {
    const separator = SEPARATORS.get(sequence);
    if (separator !== undefined) return separator;
    const codes = sequence.slice(1).match(/../g) ?? [];
    return codes.map((code) => String.fromCharCode(Number.parseInt(code, 16))).join('');
  });
}
