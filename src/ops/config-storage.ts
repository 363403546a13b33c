import { z } from 'zod';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

const share = z.number().min(0).max(1);

/** How full the disk may be for an upload to begin, by its priority; the most urgent is refused last. */
const watermarks = z
  .strictObject({
    bulk: share.default(0.75).describe('part of the disk that may be full when a bulk upload begins'),
    routine: share.default(0.85).describe('… a routine one'),
    urgent: share.default(0.92).describe('… an urgent one'),
    acute: share.default(0.97).describe('… an acute one'),
  })
  .superRefine(({ bulk, routine, urgent, acute }, context) => {
    const rising = [
      ['routine', routine, 'bulk', bulk],
      ['urgent', urgent, 'routine', routine],
      ['acute', acute, 'urgent', urgent],
    ] as const;
    for (const [name, share, below, least] of rising) {
      if (share < least)
        context.addIssue({ code: 'custom', path: [name], message: `expected no less than ${below}` });
    }
  });

const checksums = z.enum(['WHEN_SUPPORTED', 'WHEN_REQUIRED']).default('WHEN_SUPPORTED');

const s3 = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/, error: 'expected an http or https address' })
    .refine(
      (text) => !/^[^/]*\/\/[^/]*@/.test(text),
      'expected no password in the address: use credentialsFile',
    )
    .nullable()
    .default(null)
    .describe('address of the S3 server; null takes that of AWS for the region'),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'expected a region such as eu-central-1')
    .default('us-east-1')
    .describe('region'),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected the name of a bucket')
    .nullable()
    .default(null)
    .describe('bucket, which has to be there'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9._/-]{0,200}$/, 'expected letters, digits, dots, dashes, underscores and slashes')
    .default('')
    .describe('put before the names of all objects'),
  forcePathStyle: z
    .boolean()
    .default(true)
    .describe('the bucket stands in the path of an address, not in its host name'),
  credentialsFile: z
    .string()
    .min(1)
    .max(4096)
    .nullable()
    .default(null)
    .describe('JSON file with accessKeyId and secretAccessKey, mode 0600; null takes the AWS_* variables'),
  spoolBytesMax: whole(256 * MiB, 4096 * GiB)
    .default(64 * GiB)
    .describe('bytes on this disk that wait to be moved on; above, uploads wait'),
  requestChecksumCalculation: checksums.describe('whether what is written carries a checksum of S3'),
  responseChecksumValidation: checksums.describe('whether such a checksum is checked in what is read'),
});

/** Where bytes are kept. */
export const storage = z
  .strictObject({
    kind: z
      .enum(['disk', 's3'])
      .default('disk')
      .describe('disk: in the data folder; s3: there first, and moved into a bucket'),
    reserveBytes: whole(0, 1024 * GiB)
      .default(GiB)
      .describe('disk space that uploads never take; counts for at most 5 % of the disk'),
    uploadBytesMax: whole(1, 4096 * GiB)
      .default(200 * GiB)
      .describe('one upload'),
    watermarks: watermarks.prefault({}).describe('how full the disk may be when an upload begins'),
    s3: s3.prefault({}).describe('the bucket of storage.kind s3'),
  })
  .refine((value) => value.kind !== 's3' || value.s3.bucket !== null, {
    path: ['s3', 'bucket'],
    error: 'expected a bucket: storage.kind is s3',
  });

function whole(min: number, max: number) {
  return z.int().min(min).max(max);
}
