import { z } from 'zod';
import { DIALECTS, formFault } from '../dicom/dialect.ts';

const form = z
  .strictObject({
    issuerOfPatientId: z.string().describe('(0010,0021)'),
    typeOfPatientId: z.string().describe('(0010,0022)'),
    universalEntityId: z.string().describe('(0040,0032)'),
    universalEntityIdType: z.string().describe('(0040,0033)'),
    identifierTypeCode: z.string().describe('(0040,0035)'),
  })
  .superRefine((value, context) => {
    const fault = formFault(value);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `expected other text: ${fault}` });
  });

const dialect = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'expected small letters, digits and dashes, at most 64')
      .describe('name that mailboxes use'),
    otherPatientId: form
      .nullable()
      .default(null)
      .describe('the item that holds the BSN in (0010,1002); null writes none'),
    otherPatientIds: z.boolean().default(false).describe('the BSN in the retired (0010,1000) too'),
    patientId: z
      .enum(['keep', 'bsn'])
      .default('keep')
      .describe('bsn: it becomes (0010,0020), and what stood there an item of (0010,1002)'),
    originalAttributes: z.boolean().default(true).describe('changed values are recorded in (0400,0561)'),
  })
  .refine((value) => value.otherPatientId !== null || value.patientId === 'keep', {
    path: ['otherPatientId'],
    error: 'expected the form of the BSN: its issuer goes with it into (0010,0021)',
  });

/** Ways to write the BSN beside those that the program knows by itself. */
export const dialects = z
  .array(dialect)
  .max(100)
  .default([])
  .describe('ways to write the BSN, beside those that are built in')
  .superRefine((all, context) => {
    const taken = new Set(DIALECTS.map(({ name }) => name));
    for (const [at, { name }] of all.entries()) {
      if (taken.has(name)) {
        const message = 'expected a name that no other dialect has, nor one that is built in';
        context.addIssue({ code: 'custom', path: [at, 'name'], message });
      }
      taken.add(name);
    }
  });

const names = z.looseObject({ dialects: z.array(z.looseObject({ name: z.string() })).default([]) });
const mailboxes = z.looseObject({
  addressBook: z.looseObject({
    organizations: z.array(
      z.looseObject({ mailboxes: z.array(z.looseObject({ dialect: z.string() })).default([]) }),
    ),
  }),
});

/**
 * Complains of each mailbox whose dialect is neither built in nor configured. `config` may be wrong in
 * other places: these are said together.
 */
export function checkDialectNames(
  config: unknown,
  complain: (path: PropertyKey[], message: string) => void,
): void {
  const configured = names.safeParse(config).data?.dialects ?? [];
  const known = new Set([...DIALECTS, ...configured].map(({ name }) => name));
  const list = [...known].map((name) => `"${name}"`).join('|');
  const organizations = mailboxes.safeParse(config).data?.addressBook.organizations ?? [];
  for (const [at, organization] of organizations.entries()) {
    for (const [index, mailbox] of organization.mailboxes.entries()) {
      if (!known.has(mailbox.dialect)) {
        const path = ['addressBook', 'organizations', at, 'mailboxes', index, 'dialect'];
        complain(path, `expected one of ${list}`);
      }
    }
  }
}
