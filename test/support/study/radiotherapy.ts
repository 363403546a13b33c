import { imageReference, type ObjectForm } from './object-form.ts';
import { numbers, sequence, text } from './writer.ts';

/** RT Structure Set, PS3.3 section A.19: one region of four points. */
export const RT_STRUCTURE_SET: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.481.3',
  modality: 'RTSTRUCT',
  elements: (place) => [
    text(0x0008_1070, 'PN'),
    text(0x0020_0052, 'UI', place.frameOfReferenceUid),
    text(0x0020_1040, 'LO'),
    text(0x3006_0002, 'SH', 'STRUCT'),
    text(0x3006_0008, 'DA', '20240229'),
    text(0x3006_0009, 'TM', '101500'),
    sequence(0x3006_0010, true, [text(0x0020_0052, 'UI', place.frameOfReferenceUid)]),
    sequence(0x3006_0020, true, [
      text(0x3006_0022, 'IS', '1'),
      text(0x3006_0024, 'UI', place.frameOfReferenceUid),
      text(0x3006_0026, 'LO', 'Long links'),
      text(0x3006_0036, 'CS', 'MANUAL'),
    ]),
    sequence(0x3006_0039, true, [
      text(0x3006_002a, 'IS', '255', '128', '0'),
      sequence(0x3006_0040, true, [
        sequence(0x3006_0016, false, imageReference(place)),
        text(0x3006_0042, 'CS', 'CLOSED_PLANAR'),
        text(0x3006_0046, 'IS', '4'),
        text(0x3006_0050, 'DS', '-10', '-10', '0', '10', '-10', '0', '10', '10', '0', '-10', '10', '0'),
      ]),
      text(0x3006_0084, 'IS', '1'),
    ]),
    sequence(0x3006_0080, false, [
      text(0x3006_0082, 'IS', '1'),
      text(0x3006_0084, 'IS', '1'),
      text(0x3006_00a4, 'CS', 'ORGAN'),
      text(0x3006_00a6, 'PN'),
    ]),
  ],
};

/** RT Plan, PS3.3 section A.20: a scheme of fractions without a beam. */
export const RT_PLAN: ObjectForm = {
  sopClassUid: '1.2.840.10008.5.1.4.1.1.481.5',
  modality: 'RTPLAN',
  elements: (place) => [
    text(0x0008_1070, 'PN'),
    text(0x0020_0052, 'UI', place.frameOfReferenceUid),
    text(0x0020_1040, 'LO'),
    text(0x300a_0002, 'SH', 'PLAN'),
    text(0x300a_0006, 'DA', '20240229'),
    text(0x300a_0007, 'TM', '101500'),
    text(0x300a_000c, 'CS', 'TREATMENT_DEVICE'),
    sequence(0x300a_0070, true, [
      text(0x300a_0071, 'IS', '1'),
      text(0x300a_0078, 'IS', '25'),
      text(0x300a_0080, 'IS', '0'),
      text(0x300a_00a0, 'IS', '0'),
    ]),
    // A private block with floating point numbers, such as planning systems keep beside their plan.
    text(0x300b_0010, 'LO', 'SLUIS_SYNTHETIC'),
    numbers(0x300b_1001, 'FD', 0.1, -2.5e-300),
  ],
};
