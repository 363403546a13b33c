import { z } from 'zod';
import { decideBsn, normalizeBsn } from '../../dicom/bsn.ts';
import { PID3_CHARACTERS_MAX } from '../../dicom/limits.ts';
import { bsnInPid3 } from '../../dicom/pid3.ts';
import { priorities, transferStates } from '../../state/records.ts';
import { reportTypes } from '../../study/report.ts';
import { reportsMax } from '../../transfer/limits.ts';

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

const patient = z
  .strictObject({
    bsn: bsn.optional(),
    pid3: z
      .string()
      .max(PID3_CHARACTERS_MAX)
      .optional()
      .describe('PID-3 of an HL7 v2 message, as it stands there: in place of the BSN'),
    bsnStatus: z.enum(['verified', 'unverified']).default('unverified'),
  })
  .transform(({ bsn: given, pid3, bsnStatus }, context) => {
    const decided = decideBsn([
      ...(given === undefined
        ? []
        : [{ value: given, source: 'transfer', confidence: 'agreed-place' } as const]),
      ...(pid3 === undefined ? [] : bsnInPid3(pid3)),
    ]);
    if (decided !== undefined && 'bsn' in decided) return { bsn: decided.bsn, bsnStatus };
    const message = decided === undefined ? 'names no BSN' : 'names two different BSNs';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

/** What becomes known of the patient after the transfer was opened. */
export const latePatient = patient;

export const newTransfer = (limits: { remarkCharactersMax: number; mailboxesMax: number }) =>
  z.strictObject({
    from: mailboxId,
    to: z.array(mailboxId).min(1).max(limits.mailboxesMax),
    priority: z.enum(priorities).default('routine'),
    remark: z.string().max(limits.remarkCharactersMax).optional(),
    intendedFor: z.string().max(200).optional(),
    patient: patient.optional(),
  });

export const manifest = (limits: { instancesMax: number; instanceBytesMax: number }) =>
  z
    .strictObject({
      instances: z
        .array(z.strictObject({ sopInstanceUid, bytes: bytes.max(limits.instanceBytesMax), sha256 }))
        .max(limits.instancesMax),
      reports: z
        .array(
          z.strictObject({
            sha256: sha256.toLowerCase(),
            bytes: bytes.max(limits.instanceBytesMax),
            mediaType: z.enum(reportTypes),
          }),
        )
        .max(reportsMax)
        .default([]),
    })
    .refine(({ instances, reports }) => instances.length + reports.length > 0, 'lists nothing');

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
        z
          .strictObject({
            sopInstanceUid: sopInstanceUid.optional(),
            report: sha256.optional().describe('the SHA-256 that names a report, as the delivery lists it'),
            sha256: sha256.describe('SHA-256 of what is held, hexadecimal'),
            status: z.enum(['stored', 'refused']).default('stored'),
          })
          .refine(
            (item) => (item.sopInstanceUid === undefined) !== (item.report === undefined),
            'names either an instance or a report',
          ),
      )
      .min(1)
      .max(limits.instancesMax),
  });
