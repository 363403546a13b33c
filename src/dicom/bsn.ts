/** The weights of the 11-proof; the last digit counts negative. */
const WEIGHTS = [9, 8, 7, 6, 5, 4, 3, 2, -1] as const;

/**
 * True for nine digits that pass the 11-proof: 9A+8B+7C+6D+5E+4F+3G+2H-I divides by 11. Nine zeros
 * pass the sum and are nobody. One in eleven random numbers passes, so this alone proves nothing.
 */
export function isBsn(text: string): boolean {
  if (!/^[0-9]{9}$/.test(text) || text === '000000000') return false;
  const sum = WEIGHTS.reduce((total, weight, index) => total + weight * Number(text.charAt(index)), 0);
  return sum % 11 === 0;
}

/** A BSN in its nine digits, from what people and systems write: spaces around it, the leading zero gone. */
export function normalizeBsn(text: string): string | undefined {
  const digits = text.trim();
  const nine = digits.length === 8 ? `0${digits}` : digits;
  return isBsn(nine) ? nine : undefined;
}
