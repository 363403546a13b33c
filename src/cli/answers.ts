import { z } from 'zod';
import { TRANSFER_INSTANCES_MAX } from './limits.ts';
import { plain } from './problem.ts';

/** What the exchange answers, as far as commands look at it. Unknown fields pass: a newer exchange says more. */

const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u);
const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);
const word = z.string().max(2_000).transform(plain);

/**
 * A UID as it comes into a file name: digits and dots, a digit first, so that neither '..' nor a path
 * gets through (PS3.5 section 9.1 allows less; archives hold UIDs with leading zeros).
 */
const uid = z.string().regex(/^[0-9][0-9.]{0,63}$/u);

/** A reason is a code, or a code with its text. */
const reason = z.union([
  word,
  z
    .object({ code: word, text: word.optional() })
    .transform(({ code, text }) => (text === undefined ? code : `${code}: ${text}`)),
]);

export const created = z.object({ id });
export const anything = z.unknown();

/** A transfer. `--json` prints it whole, so what is not known here stays in it, at every depth. */
export const transferAnswer = z.looseObject({
  id,
  state: word,
  reasons: z.array(reason).max(10_000).default([]),
  from: word.optional(),
  to: z.array(word).max(100).optional(),
  priority: word.optional(),
  instances: count.default(0),
  reports: count.default(0),
  bytes: count.default(0),
  deliveries: z
    .array(
      z.looseObject({
        mailbox: word,
        state: word,
        delivered: count.default(0),
        of: count.default(0),
        lastOutcome: word.nullish(),
      }),
    )
    .max(100)
    .default([]),
  uploads: z
    .array(
      z.looseObject({
        id,
        location: z.string().max(2_000),
        bytes: count.nullable(),
        offset: count,
        state: word,
      }),
    )
    .max(10_000)
    .default([]),
  problems: z
    .array(
      z.looseObject({ sopInstanceUid: word, reasons: z.array(reason).max(1_000), detail: word.nullish() }),
    )
    .max(10_000)
    .default([]),
  setAside: z
    .looseObject({
      count,
      items: z.array(z.looseObject({ name: word, why: word, en: word.nullish() })).max(10_000),
    })
    .nullish(),
});
export type TransferAnswer = z.infer<typeof transferAnswer>;

const next = z.string().max(2_000).nullish();

export const transferList = z.object({ items: z.array(transferAnswer).max(10_000), next });

export const inbox = z.object({
  items: z
    .array(
      z.object({
        delivery: id,
        transfer: id,
        from: word.default('an unknown mailbox'),
        priority: word.optional(),
        instances: count,
        bytes: count,
      }),
    )
    .max(10_000),
  next,
});
export type InboxItem = z.infer<typeof inbox>['items'][number];

const place = { offset: count, bytes: z.int().positive(), sha256 };

const deliveredInstance = z.object({
  sopInstanceUid: uid,
  studyInstanceUid: uid,
  seriesInstanceUid: z.string().max(200).optional(),
  ...place,
});

const deliveredReport = z.object({ report: z.object({ mediaType: word }), ...place });
export type DeliveredReport = z.infer<typeof deliveredReport>;

export const deliveryAnswer = z.object({
  id,
  transfer: id,
  mailbox: word,
  state: word,
  etag: z.string().min(1).max(500),
  bytes: count,
  items: z.array(z.union([deliveredReport, deliveredInstance])).max(TRANSFER_INSTANCES_MAX),
});
export type DeliveryAnswer = z.infer<typeof deliveryAnswer>;
export type DeliveryItem = DeliveryAnswer['items'][number];

/** An item with the folder and the name that it gets. */
export type NamedItem = DeliveryItem & { readonly folder: string; readonly fileName: string };
