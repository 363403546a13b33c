import { describe, expect, it } from 'vitest';
import { Choosing } from '../../src/delivery/choice.ts';
import { leftOutKindsMax } from '../../src/delivery/limits.ts';
import type { InstanceRecord, MailboxRecord, TransferRecord } from '../../src/state/records.ts';
import { plainWishes } from '../support/plain-mailbox.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2';
const GSPS = '1.2.840.10008.5.1.4.1.1.11.1';
const SR = '1.2.840.10008.5.1.4.1.1.88.11';
const PDF = '1.2.840.10008.5.1.4.1.1.104.1';

type Item = Pick<InstanceRecord, 'scan' | 'report' | 'derivedFrom' | 'bytes'>;

const instance = (sopClassUid: string, modality: string, derivedFrom: number | null = null): Item => ({
  scan: { sopClassUid, modality } as InstanceRecord['scan'],
  report: null,
  derivedFrom,
  bytes: 100,
});
const report = (mediaType: string): Item => ({
  scan: null,
  report: { mediaType, origin: 'part' },
  derivedFrom: null,
  bytes: 10,
});

/** Two slices, a presentation state, a structured report, a PDF; then what was made of the last two. */
const study: readonly Item[] = [
  instance(CT, 'CT'),
  instance(CT, 'CT'),
  instance(GSPS, 'PR'),
  instance(SR, 'SR'),
  report('application/pdf'),
  instance(PDF, 'DOC', 3),
  instance(PDF, 'DOC', 4),
];

const mailbox: MailboxRecord = {
  id: 'm',
  organization: 'o',
  name: 'm',
  kind: 'central',
  specialty: null,
  receiving: { by: 'pull' },
  ...plainWishes,
};
const stow = { by: 'stow', url: 'http://pacs.example', tokenFile: null } as const;

function chosenBy(wishes: Partial<MailboxRecord>, items: readonly Item[] = study) {
  const transfer = {
    to: ['m'],
    instances: items.length,
    bytes: items.reduce((sum, { bytes }) => sum + bytes, 0),
    reports: items.filter((item) => item.report !== null).length,
    derived: items.filter((item) => item.derivedFrom !== null).length,
  } as unknown as TransferRecord;
  const choosing = new Choosing(transfer, [{ ...mailbox, ...wishes }]);
  for (const item of items.slice(0, choosing.items)) choosing.add(item);
  const chosen = choosing.end().get('m');
  if (chosen === undefined) throw new Error('nothing was chosen');
  const { selection, bytes, leftOut } = chosen;
  const numbers = Array.from({ length: selection.of }, (_, position) => selection.numberAt(position));
  return { numbers, bytes, leftOut, looked: choosing.items };
}

describe('what a mailbox gets', () => {
  it.each<[string, Partial<MailboxRecord>, number[], Record<string, number>]>([
    ['pulls', {}, [0, 1, 2, 3, 4], {}],
    ['pulls and wants structured reports as PDF', { srAsPdf: true }, [0, 1, 2, 3, 4, 5], {}],
    ['is pushed to', { receiving: stow }, [0, 1, 2, 3, 6], {}],
    ['is pushed to and wants PDF', { receiving: stow, srAsPdf: true }, [0, 1, 2, 3, 5, 6], {}],
    ['wants no PR', { excludeModalities: ['PR'] }, [0, 1, 3, 4], { [GSPS]: 1 }],
    ['wants no CT and no SR', { excludeSopClasses: [CT, SR] }, [2, 4], { [CT]: 2, [SR]: 1 }],
    [
      'wants a PDF in place of the SR',
      { excludeModalities: ['SR'], srAsPdf: true },
      [0, 1, 2, 4, 5],
      { [SR]: 1 },
    ],
    [
      'is pushed to and wants no encapsulated PDF',
      { receiving: stow, excludeSopClasses: [PDF] },
      [0, 1, 2, 3],
      { 'application/pdf': 1 },
    ],
  ])('who %s', (_, wishes, numbers, leftOut) => {
    expect(chosenBy(wishes)).toMatchObject({ numbers, leftOut });
  });

  it('is told as left out where a report could not be made into an instance', () => {
    const items = [instance(CT, 'CT'), report('text/plain'), report('text/plain')];
    expect(chosenBy({ receiving: stow }, items)).toMatchObject({
      numbers: [0],
      leftOut: { 'text/plain': 2 },
    });
  });

  it('is counted in bytes', () => {
    expect(chosenBy({}).bytes).toBe(410);
    expect(chosenBy({ excludeModalities: ['PR'] }).bytes).toBe(310);
  });

  it('is all of it, without a look at any item, where nothing can be left out', () => {
    const images = study.slice(0, 3);
    expect(chosenBy({}, images)).toEqual({ numbers: [0, 1, 2], bytes: 300, leftOut: {}, looked: 0 });
    expect(chosenBy({ excludeModalities: ['MR'] }, images)).toMatchObject({ numbers: [0, 1, 2], looked: 3 });
  });

  it('names no more kinds of what was left out than a record has room for', () => {
    const many = Array.from({ length: leftOutKindsMax + 5 }, (_, at) =>
      instance(`1.2.${at.toString()}`, 'PR'),
    );
    const { leftOut, numbers } = chosenBy({ excludeModalities: ['PR'] }, many);
    expect(numbers).toEqual([]);
    expect(Object.keys(leftOut)).toHaveLength(leftOutKindsMax + 1);
    expect(leftOut.other).toBe(5);
  });
});
