import { z } from 'zod';
import { addressBook } from './config-address-book.ts';
import { checkDialectNames, dialects } from './config-dialects.ts';
import { storage } from './config-storage.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

const whole = (min: number, max: number) => z.int().min(min).max(max);
const seconds = (max: number) => z.number().positive().max(max);
const host = z
  .string()
  .regex(/^[0-9A-Za-z.:_-]{1,255}$/, 'expected a host name or an address, without a port');
const port = whole(0, 65_535);

/** As a browser writes it in Origin (RFC 6454): it is compared as text. */
function isOrigin(text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

const http = z.strictObject({
  host: host.default('127.0.0.1').describe('address that the API listens on'),
  port: port.default(8080).describe('TCP port of the API; 0 takes a free one'),
  listener: z
    .enum(['auto', 'uws', 'node-http'])
    .default('auto')
    .describe('HTTP engine; auto takes uws where it has a build for this Node, else node-http'),
  corsOrigins: z
    .array(z.string().refine(isOrigin, 'expected an origin such as https://viewer.example, without a path'))
    .max(100)
    .default([])
    .describe('origins whose pages may use the API from a browser, exactly as browsers write them'),
});

const ops = z.strictObject({
  host: host.default('127.0.0.1').describe('address that metrics and health listen on; they need no token'),
  port: port.default(9090).describe('TCP port of metrics and health; 0 takes a free one'),
});

const data = z.strictObject({
  folder: z.string().min(1).max(4096).default('data').describe('folder of everything that is kept'),
});

const log = z.strictObject({
  level: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('least level that is logged'),
});

const upload = z
  .strictObject({
    engine: z
      .enum(['sluis', 'tus-node-server'])
      .default('sluis')
      .describe('who speaks the protocol; tus-node-server is slower and runs on http.listener node-http'),
    durability: z
      .enum(['durable', 'process'])
      .default('durable')
      .describe('what an acknowledged byte survives: durable a power cut, process only a killed program'),
    checkpointBytes: whole(64 * 1024, GiB)
      .default(64 * MiB)
      .describe('a running body is secured after so many bytes'),
    checkpointSeconds: seconds(60).default(1).describe('… and when its oldest unsecured byte is so old'),
    ledger: z
      .boolean()
      .default(true)
      .describe('a CRC-32 of every 8 MiB is kept, and what is stored held against it before it is delivered'),
    expiryHours: z
      .number()
      .positive()
      .max(24 * 365)
      .default(72)
      .describe('an unfinished upload lives so long after its last byte'),
    expiryDaysMax: z.number().positive().max(365).default(14).describe('… and so long in all'),
    unclaimedDays: z
      .number()
      .positive()
      .max(365)
      .default(14)
      .describe('a finished upload that no transfer claims lives so long'),
    openPerOrganization: whole(1, 1_000_000).default(64).describe('unfinished uploads of one organization'),
    inFlightShare: z
      .number()
      .positive()
      .max(1)
      .default(0.25)
      .describe('part of the disk that the unfinished uploads of one organization may take'),
    writersMax: whole(1, 100_000).default(4_000).describe('requests that write at once, of all together'),
  })
  .refine((value) => value.expiryHours <= value.expiryDaysMax * 24, {
    path: ['expiryHours'],
    error: 'expected no more than expiryDaysMax',
  });

const transfer = z
  .strictObject({
    instanceBytesMax: whole(1, 1024 * GiB)
      .default(16 * GiB)
      .describe('one instance'),
    transferBytesMax: whole(1, 4096 * GiB)
      .default(200 * GiB)
      .describe('one transfer'),
    instancesMax: whole(1, 1_000_000).default(100_000).describe('instances of one transfer'),
    reportLanguage: z
      .enum(['nl', 'en'])
      .default('nl')
      .describe('language of what is printed around a report that is made into a PDF'),
    studiesMax: whole(1, 10_000).default(200).describe('studies of one transfer'),
    mailboxesMax: whole(1, 100).default(10).describe('receiving mailboxes of one transfer'),
    remarkCharactersMax: whole(0, 100_000).default(2_000).describe("a sender's remark"),
    manifestBytesMax: whole(1024, GiB)
      .default(64 * MiB)
      .describe('one manifest'),
    jsonBodyBytesMax: whole(1024, 64 * MiB)
      .default(MiB)
      .describe('any other JSON body'),
  })
  .refine((value) => value.instanceBytesMax <= value.transferBytesMax, {
    path: ['instanceBytesMax'],
    error: 'expected no more than transferBytesMax',
  });

const work = z.strictObject({
  threads: whole(0, 64)
    .default(0)
    .describe('threads that inspect and hash; 0 takes one less than the cores, at least 1'),
});

const stow = z.strictObject({
  batchBytes: whole(MiB, GiB)
    .default(16 * MiB)
    .describe('a STOW request is closed at so many bytes'),
  batchInstances: whole(1, 1_000).default(30).describe('… or so many instances'),
  connections: whole(1, 64).default(2).describe('connections to one receiver'),
  connectSeconds: seconds(300).default(5).describe('to connect'),
  idleWriteSeconds: seconds(3_600).default(60).describe('without a byte that the receiver takes'),
  answerSeconds: seconds(3_600).default(120).describe('from the last byte to the answer'),
  answerSecondsPer10MiB: z
    .number()
    .min(0)
    .max(600)
    .default(1)
    .describe('… and so much longer for each 10 MiB sent'),
});

const retry = z
  .strictObject({
    firstSeconds: seconds(3_600).default(5).describe('pause after the first failure; doubles, with jitter'),
    maxSeconds: seconds(24 * 3_600)
      .default(900)
      .describe('longest pause'),
    giveUpHours: z
      .number()
      .positive()
      .max(24 * 30)
      .default(24)
      .describe('then a person decides; acute is never given up by itself'),
    acuteSecondsMax: seconds(3_600).default(60).describe('longest pause of an acute delivery'),
  })
  .refine((value) => value.firstSeconds <= value.maxSeconds, {
    path: ['firstSeconds'],
    error: 'expected no more than maxSeconds',
  });

const keys = z.strictObject({
  apiKeyDays: whole(1, 3_650).default(90).describe('an API key is valid so long'),
});

const shareAnAddress = (one: unknown, other: unknown): boolean => {
  const left = z.looseObject({ host: z.string(), port: z.number() }).safeParse(one).data;
  const right = z.looseObject({ host: z.string(), port: z.number() }).safeParse(other).data;
  return left !== undefined && left.port !== 0 && left.host === right?.host && left.port === right.port;
};

const engines = z.looseObject({
  http: z.looseObject({ listener: z.literal('uws') }),
  upload: z.looseObject({ engine: z.literal('tus-node-server') }),
});

/** Complains of a listener that the chosen engine cannot run on. `config` may be wrong in other places too. */
function checkEngine(config: unknown, complain: (path: PropertyKey[], message: string) => void): void {
  if (engines.safeParse(config).success) {
    complain(
      ['http', 'listener'],
      'expected node-http or auto: upload.engine tus-node-server runs on no other',
    );
  }
}

/**
 * The whole configuration: every value has its unit in its name, its default (design.md, Defaults), its
 * bounds and a description, from which README's table and config.example.json are made. Secrets are
 * never values: only paths of the files that hold them.
 */
export const configSchema = z
  .strictObject({
    version: z
      .literal(1, { error: 'expected 1, the version of the configuration that this program reads' })
      .describe('version of this file'),
    http: http.prefault({}).describe('the API'),
    ops: ops.prefault({}).describe('metrics and health'),
    data: data.prefault({}).describe('where everything is kept'),
    log: log.prefault({}).describe('operational log'),
    storage: storage.prefault({}).describe('where bytes are kept'),
    upload: upload.prefault({}).describe('resumable uploads'),
    transfer: transfer.prefault({}).describe('what one sending may hold'),
    work: work.prefault({}).describe('inspecting and hashing'),
    stow: stow.prefault({}).describe('deliveries to DICOMweb receivers'),
    retry: retry.prefault({}).describe('failed deliveries'),
    keys: keys.prefault({}).describe('API keys'),
    dialects,
    addressBook: addressBook.prefault({}).describe('organizations and their mailboxes'),
  })
  .refine((value) => !shareAnAddress(value.http, value.ops), {
    path: ['ops', 'port'],
    error: 'expected another port than http.port',
    // Said together with every other problem, not only once those are repaired.
    when: () => true,
  })
  .superRefine(
    (value, context) => {
      const complain = (path: PropertyKey[], message: string): void =>
        context.addIssue({ code: 'custom', path, message });
      checkDialectNames(value, complain);
      checkEngine(value, complain);
    },
    { when: () => true },
  );

export type Config = z.output<typeof configSchema>;

/** Of `storage.reserveBytes` at most this part of the disk, so that a small disk can be used at all. */
const RESERVE_SHARE_MAX = 0.05;

/** The bytes of a disk of `diskBytes` that uploads never take. */
export function reserveBytesOf(config: Config, diskBytes: number): number {
  return Math.min(config.storage.reserveBytes, Math.floor(diskBytes * RESERVE_SHARE_MAX));
}
