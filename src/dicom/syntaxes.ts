/** How the dataset's elements are encoded (PS3.5 section 7.1 and annex A). */
export type Encoding = 'explicit-le' | 'implicit-le' | 'explicit-be';

const ROOT = '1.2.840.10008.1.2';

/** The syntaxes that a dataset without (0002,0010) turns out to be in. */
export const SYNTAX_OF: Readonly<Record<Encoding, string>> = {
  'implicit-le': ROOT,
  'explicit-le': `${ROOT}.1`,
  'explicit-be': `${ROOT}.2`,
};

/** The whole dataset is one deflate stream: explicit little endian once it is inflated (PS3.5 A.5, A.4.12). */
const DEFLATED: ReadonlySet<string> = new Set([`${ROOT}.1.99`, `${ROOT}.4.95`, `${ROOT}.4.205`]);

/** Implicit little endian outside the pixel data; written by older GE scanners. */
const GE_BIG_ENDIAN_PIXELS = '1.2.840.113619.5.2';

/**
 * Families that PS3.5 A.4 fixes to explicit little endian: uncompressed frames in fragments, JPEG and its
 * successors, MPEG, RLE, MIME, XML, SMPTE ST 2110, and deflated frames (whose head is plain). A new member
 * needs no change here.
 */
const ENCAPSULATED = [
  `${ROOT}.1.98`,
  `${ROOT}.4.`,
  `${ROOT}.5`,
  `${ROOT}.6.`,
  `${ROOT}.7.`,
  `${ROOT}.8.`,
] as const;

/** The encoding that a transfer syntax prescribes: `deflated` has to be inflated first, undefined is unknown. */
export function encodingOf(transferSyntaxUid: string): Encoding | 'deflated' | undefined {
  if (DEFLATED.has(transferSyntaxUid)) return 'deflated';
  if (transferSyntaxUid === SYNTAX_OF['implicit-le'] || transferSyntaxUid === GE_BIG_ENDIAN_PIXELS) {
    return 'implicit-le';
  }
  if (transferSyntaxUid === SYNTAX_OF['explicit-le']) return 'explicit-le';
  if (transferSyntaxUid === SYNTAX_OF['explicit-be']) return 'explicit-be';
  if (ENCAPSULATED.some((family) => transferSyntaxUid.startsWith(family))) return 'explicit-le';
  return undefined;
}
