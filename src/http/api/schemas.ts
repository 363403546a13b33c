import { z } from 'zod';
import { normalizeBsn } from '../../dicom/bsn.ts';
import { priorities, transferStates } from '../../state/records.ts';

/** Bodies and queries of the JSON API; /openapi.json is made from them. Unknown keys are refused. */

const mailboxId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
  .describe('id of a mailbox in the address book');
const sopInstanceUid = z
  .string()
  .regex(/^[0-9.]{1,64}$/)
  .describe('SOP Instance UID (0008,0018)');
const sha256 = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/)
  .describe('SHA-256, hexadecimal');
const bytes = z.int().nonnegative().describe('bytes');

/** The value itself is never echoed: zod's messages name the path only. */
const bsn = z
  .string()
  .max(20)
  .refine((text) => normalizeBsn(text) !== undefined, 'is not a BSN: nine digits that pass the 11-proof')
  .transform((text) => normalizeBsn(text) ?? '');

export const newTransfer = (limits: { remarkCharactersMax: number; mailboxesMax: number }) =>
  z.strictObject({
    from: mailboxId,
    to: z.array(mailboxId).min(1).max(limits.mailboxesMax),
    priority: z.enum(priorities).default('routine'),
    remark: z.string().max(limits.remarkCharactersMax).optional(),
    intendedFor: z.string().max(200).optional(),
    patient: z
      .strictObject({ bsn, bsnStatus: z.enum(['verified', 'unverified']).default('unverified') })
      .optional(),
  });

export const manifest = (limits: { instancesMax: number; instanceBytesMax: number }) =>
  z.strictObject({
    instances: z
      .array(z.strictObject({ sopInstanceUid, bytes: bytes.max(limits.instanceBytesMax), sha256 }))
      .min(1)
      .max(limits.instancesMax),
    reports: z.array(z.never()).max(0, 'reports are not taken yet').default([]),
  });

export const transferQuery = z.strictObject({
  state: z.enum(transferStates).optional(),
  cursor: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

export const mailboxQuery = z.strictObject({ q: z.string().max(200).default('') });

export const inboxQuery = z.strictObject({
  cursor: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  wait: z.coerce.number().int().min(0).max(60).default(0).describe('seconds to wait for something to come'),
});

export const acknowledgement = (limits: { instancesMax: number }) =>
  z.strictObject({
    items: z
      .array(
        z.strictObject({ sopInstanceUid, sha256, status: z.enum(['stored', 'refused']).default('stored') }),
      )
      .min(1)
      .max(limits.instancesMax),
  });
