import { z } from 'zod';

/** The ids of organizations and mailboxes: they become part of addresses and file names. */
const id = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'expected letters, digits, dots, dashes and underscores, at most 64',
  );
const name = z.string().min(1).max(200);

const url = z
  .url({ protocol: /^https?$/, error: 'expected an http or https address' })
  .refine((text) => !/^[^/]*\/\/[^/]*@/.test(text), 'expected no password in the address: use tokenFile')
  .refine((text) => !/[?#]/.test(text), 'expected the DICOMweb root, without ? or #');

const receiving = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('pull').describe('fetches from the exchange') }),
  z.strictObject({
    by: z.literal('stow').describe('takes STOW-RS requests'),
    url: url.describe('DICOMweb root, for example http://pacs.example/dicom-web'),
    tokenFile: z
      .string()
      .min(1)
      .max(4096)
      .nullable()
      .default(null)
      .describe('file that holds the bearer token'),
  }),
]);

const mailbox = z.strictObject({
  id: id.describe('id, unique in the address book'),
  name: name.describe('name that senders see'),
  kind: z
    .enum(['central', 'decentral'])
    .default('central')
    .describe('an organization has at most one central one'),
  specialty: name.nullable().default(null).describe('department of a decentral mailbox'),
  receiving: receiving.default({ by: 'pull' }).describe('how it wants to receive'),
  dialect: z
    .string()
    .max(64)
    .default('nl-2010')
    .describe('how the BSN is written for it: a built-in dialect or one of dialects'),
  patientId: z
    .enum(['keep-with-issuer', 'prefix', 'reconciled-by-gateway'])
    .default('keep-with-issuer')
    .describe('what becomes of a Patient ID that comes without its issuer'),
  nestedIdentity: z
    .enum(['keep-and-flag', 'strip', 'hold'])
    .default('keep-and-flag')
    .describe("what becomes of another person's number in a nested or private sequence"),
  srAsPdf: z.boolean().default(false).describe('structured reports come as PDF too'),
  excludeSopClasses: z
    .array(z.string().regex(/^[0-9.]{1,64}$/, 'expected a SOP Class UID'))
    .max(1_000)
    .default([])
    .describe('objects that it never gets, by SOP Class UID'),
  excludeModalities: z
    .array(z.string().regex(/^[A-Z0-9_]{1,16}$/, 'expected a modality such as PR'))
    .max(100)
    .default([])
    .describe('objects that it never gets, by modality'),
});

const organization = z.strictObject({
  id: id.describe('id, unique in the address book'),
  name: name.describe('name that senders see'),
  place: name.describe('town'),
  kind: z.enum(['hospital', 'clinic', 'diagnostic-centre']).default('hospital').describe('what it is'),
  ura: z
    .string()
    .regex(/^\d{8}$/, 'expected 8 digits with the leading zeros')
    .nullable()
    .default(null)
    .describe('URA'),
  issuerOfPatientId: z
    .string()
    .regex(/^(?! )[ -[\]-~]{1,64}(?<! )$/, 'expected 1 to 64 plain ASCII characters, without a backslash')
    .nullable()
    .default(null)
    .describe('what (0010,0021) says of its Patient IDs; null is its id'),
  mailboxes: z.array(mailbox).max(1_000).default([]).describe('its mailboxes'),
});

type Organization = z.output<typeof organization>;

const repeated = (values: readonly (string | null)[], at: number): boolean =>
  values[at] !== null && values.indexOf(values[at] ?? null) < at;

/** What no single entry shows: ids that come twice, a second central mailbox. */
function checkBook(
  organizations: readonly Organization[],
  complain: (path: PropertyKey[], message: string) => void,
) {
  const organizationIds = organizations.map((one) => one.id);
  const uras = organizations.map((one) => one.ura);
  const mailboxIds: string[] = [];
  for (const [at, one] of organizations.entries()) {
    if (repeated(organizationIds, at)) complain([at, 'id'], 'expected an id that no other organization has');
    if (repeated(uras, at)) complain([at, 'ura'], 'expected a URA that no other organization has');
    let centrals = 0;
    for (const [index, mailbox] of one.mailboxes.entries()) {
      const path = [at, 'mailboxes', index];
      mailboxIds.push(mailbox.id);
      if (repeated(mailboxIds, mailboxIds.length - 1)) {
        complain([...path, 'id'], 'expected an id that no other mailbox has');
      }
      centrals += mailbox.kind === 'central' ? 1 : 0;
      if (mailbox.kind === 'central' && centrals > 1) {
        complain([...path, 'kind'], 'expected decentral: the organization has a central mailbox already');
      }
    }
  }
}

export const addressBook = z.strictObject({
  organizations: z
    .array(organization)
    .max(10_000)
    .default([])
    .describe('the organizations that this exchange serves, with their mailboxes')
    .superRefine((organizations, context) => {
      checkBook(organizations, (path, message) => context.addIssue({ code: 'custom', path, message }));
    }),
});
