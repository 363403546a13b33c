/** The peer of what goes to S3: the AWS SDK's own multipart upload of a file, as it is when nothing is set. */
import { createReadStream } from 'node:fs';
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { S3Place } from '../../../test/support/s3-server.ts';
import { answerQuestions } from '../../lib/helper.ts';

let client: S3Client | undefined;
let bucket = '';

function start({ endpoint, region, accessKeyId, secretAccessKey, bucket: name }: S3Place): void {
  const credentials = { accessKeyId, secretAccessKey };
  client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  bucket = name;
}

/** Resolves with the seconds it took. */
async function upload({ path }: { path: string }): Promise<number> {
  if (client === undefined) throw new Error('start comes first');
  const params = { Bucket: bucket, Key: 'upload', Body: createReadStream(path) };
  const begun = performance.now();
  await new Upload({ client, params }).done();
  const seconds = (performance.now() - begun) / 1000;
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'upload' }));
  return seconds;
}

answerQuestions({ start, upload });
