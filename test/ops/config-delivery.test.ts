import { describe, expect, it } from 'vitest';
import { DIALECTS } from '../../src/dicom/dialect.ts';
import { configSchema } from '../../src/ops/config.ts';
import { plainWishes } from '../support/plain-mailbox.ts';

const form = {
  issuerOfPatientId: 'NLMINBIZA',
  typeOfPatientId: 'TEXT',
  universalEntityId: '2.16.840.1.113883.2.4.6.3',
  universalEntityIdType: 'ISO',
  identifierTypeCode: 'NNNLD',
};

interface Given {
  readonly dialects?: readonly object[];
  readonly mailbox?: object;
  readonly organization?: object;
  readonly more?: object;
}

const written = ({ dialects = [], mailbox = {}, organization = {}, more = {} }: Given) => ({
  version: 1,
  dialects,
  addressBook: {
    organizations: [
      { id: 'a', name: 'a', place: 'a', ...organization, mailboxes: [{ id: 'm', name: 'm', ...mailbox }] },
    ],
  },
  ...more,
});

/** Where it is wrong, and what was expected there. */
function problems(given: Given): string[] {
  const { error } = configSchema.safeParse(written(given));
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('what a mailbox gets, in the configuration,', () => {
  it('is everything, tagged as the national guideline says, when it says nothing', () => {
    const { organizations } = configSchema.parse(written({})).addressBook;
    expect(organizations[0]?.issuerOfPatientId).toBeNull();
    expect(organizations[0]?.mailboxes[0]).toMatchObject(plainWishes);
  });

  it('is what it says', () => {
    const mailbox = {
      dialect: 'west-own',
      patientId: 'prefix',
      nestedIdentity: 'strip',
      srAsPdf: true,
      excludeSopClasses: ['1.2.840.10008.5.1.4.1.1.11.1'],
      excludeModalities: ['PR', 'KO'],
    };
    const dialects = [{ name: 'west-own', otherPatientId: form }];
    const config = configSchema.parse(written({ dialects, mailbox }));
    expect(config.addressBook.organizations[0]?.mailboxes[0]).toMatchObject(mailbox);
    expect(config.dialects).toEqual([
      {
        name: 'west-own',
        otherPatientId: form,
        otherPatientIds: false,
        patientId: 'keep',
        originalAttributes: true,
      },
    ]);
  });

  it.each<[string, Given, string]>([
    ['a policy nobody knows', { mailbox: { patientId: 'drop' } }, '.patientId: '],
    ['a policy for others nobody knows', { mailbox: { nestedIdentity: 'drop' } }, '.nestedIdentity: '],
    ['a name for a SOP class', { mailbox: { excludeSopClasses: ['PR'] } }, 'expected a SOP Class UID'],
    [
      'a modality in small letters',
      { mailbox: { excludeModalities: ['pr'] } },
      'expected a modality such as PR',
    ],
    ['an issuer of two values', { organization: { issuerOfPatientId: 'a\\b' } }, 'without a backslash'],
    ['an issuer that begins with a blank', { organization: { issuerOfPatientId: ' a' } }, 'plain ASCII'],
    ['an issuer that ASCII cannot write', { organization: { issuerOfPatientId: 'Zoë' } }, 'plain ASCII'],
    ['an issuer that LO cannot hold', { organization: { issuerOfPatientId: 'a'.repeat(65) } }, 'plain ASCII'],
    ['a dialect of a name that is taken', { dialects: [{ name: 'nl-2010' }] }, 'dialects.0.name: '],
    ['two dialects of one name', { dialects: [{ name: 'x' }, { name: 'x' }] }, 'dialects.1.name: '],
    [
      'a dialect whose issuer cannot be written',
      { dialects: [{ name: 'x', otherPatientId: { ...form, issuerOfPatientId: 'Zoë' } }] },
      'dialects.0.otherPatientId: expected other text: issuerOfPatientId is not',
    ],
    [
      'a dialect that moves the BSN to the front and does not say whose number it is',
      { dialects: [{ name: 'x', patientId: 'bsn' }] },
      'dialects.0.otherPatientId: expected the form',
    ],
  ])('cannot be %s', (_, given, problem) => {
    expect(problems(given).join()).toContain(problem);
  });

  it('names the dialects that there are when it asks for another, with every other problem', () => {
    const dialects = [{ name: 'west-own' }];
    const known = [...DIALECTS.map(({ name }) => name), 'west-own'].map((name) => `"${name}"`).join('|');
    const where = 'addressBook.organizations.0.mailboxes.0.dialect';
    expect(problems({ dialects, mailbox: { dialect: 'nl-2011' } })).toEqual([
      `${where}: expected one of ${known}`,
    ]);
    const found = problems({ dialects, mailbox: { dialect: 'nl-2011' }, more: { http: { port: -1 } } });
    expect(found).toHaveLength(2);
    expect(found.join()).toContain(where);
    expect(found.join()).toContain('http.port');
  });
});
