import { EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, part10 } from '../part10.ts';
import { bytes, type Element, numbers, sequence, text } from '../writer.ts';
import { base, type OddForm, TAGGED } from './form.ts';

/** Everything of group 0010 that a patch may write. */
const PATIENT = [0x0010_0020, 0x0010_0021, 0x0010_0024, 0x0010_1000, 0x0010_1002];
const PICTURE = [0x0028_0010, 0x0028_0011, 0x7fe0_0010];

/** (4FFE,0001) MAC Parameters Sequence: what was signed, and how (PS3.3 section C.12.1.1.3). */
const parameters = (open: boolean, ...signed: readonly number[][]): Element =>
  sequence(
    0x4ffe_0001,
    open,
    ...signed.map((tags, index) => [
      numbers(0x0400_0005, 'US', index),
      text(0x0400_0010, 'UI', EXPLICIT_LE),
      text(0x0400_0015, 'CS', 'SHA256'),
      numbers(0x0400_0020, 'AT', ...tags),
    ]),
  );

/** (FFFA,FFFA) Digital Signatures Sequence, behind the pixels. The signature itself is noise. */
const signatures = (count: number, open: boolean): Element =>
  sequence(
    0xff_fa_ff_fa,
    open,
    ...Array.from({ length: count }, (_, index) => [
      numbers(0x0400_0005, 'US', index),
      text(0x0400_0100, 'UI', `1.2.3.${index.toString()}`),
      text(0x0400_0105, 'DT', '20240229101500'),
      text(0x0400_0110, 'CS', 'X509_1993_SIG'),
      bytes(0x0400_0115, 'OB', Buffer.alloc(300, 0x30)),
      bytes(0x0400_0120, 'OB', Buffer.alloc(256, 0x5a)),
    ]),
  );

export function signed(): OddForm[] {
  const encodings = { explicit: EXPLICIT_LE, implicit: IMPLICIT_LE, 'big-endian': EXPLICIT_BE };
  return Object.entries(encodings).flatMap(([name, syntax]) => {
    const form = (kind: string, elements: Element[], expected: OddForm['expected']): OddForm => ({
      name: `signed-${kind}-${name}`,
      bytes: part10(base(elements), syntax),
      expected,
    });
    const untagged = { outcome: 'untagged', why: 'signed' } as const;
    return [
      form('patient', [parameters(false, PATIENT), signatures(1, false)], untagged),
      form('patient-open', [parameters(true, PICTURE, PATIENT), signatures(2, true)], untagged),
      form('picture', [parameters(false, PICTURE), signatures(1, true)], TAGGED),
      form('nothing', [parameters(false), signatures(0, false)], TAGGED),
    ];
  });
}
