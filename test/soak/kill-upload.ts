/** Is one large upload whole, and no acknowledged byte ever lost, when the exchange is killed again and again in it? */
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type S3Server, startS3Server } from '../support/s3-server.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import { LongUpload } from './lib/long-upload.ts';
import { MortalExchange } from './lib/mortal-exchange.ts';
import { Random } from './lib/random.ts';

const usage =
  'npm run soak -- kill-upload [--kills N] [--bytes N] [--store disk|s3] [--seed N] [--json FILE]';
process.on('uncaughtException', (error) => {
  console.error('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS') ? usage : error);
  process.exit(2);
});
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    bytes: { type: 'string', default: '2147483648' },
    store: { type: 'string', default: 'disk' },
    seed: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const [kills = 0, bytes = 0, seed = 0] = [values.kills, values.bytes, values.seed].map(Number);
if (![kills, bytes, seed].every(Number.isSafeInteger) || !['disk', 's3'].includes(values.store)) {
  console.error(usage);
  process.exit(2);
}

const random = new Random(seed);
/** Each is passed once: the offset from which it is sent only rises. */
const points = Array.from({ length: kills }, () => random.between(0, bytes - 1)).sort((a, b) => a - b);
const begun = performance.now();
const folder = await openTempFolder('sluis-kill-upload');
const s3 = values.store === 's3' ? await startS3Server() : undefined;
const settings = s3 === undefined ? {} : { storage: await s3Settings(s3, folder.file('s3.json')) };
const mailbox = { id: 'sender', receiving: { by: 'pull' }, dialect: 'none' } as const;
const exchange = await MortalExchange.make(folder.path, [mailbox], settings);
const upload = new LongUpload({
  ...{ port: exchange.port, token: exchange.token('sender'), bytes, seed, random: random.fork() },
  sent: async (offset) => {
    const next = points[exchange.kills];
    if (next === undefined || offset < next) return false;
    // Not always at the same moment between a write and its checkpoint.
    await sleep(random.between(0, 40));
    await exchange.kill();
    return true;
  },
});

let isWhole = false;
let digests = { held: '', sent: '' };
try {
  await upload.create();
  while (!isWhole) {
    isWhole = await upload.goOn().catch((error: unknown) => {
      if (exchange.running) upload.faults.push(String(error));
      return false;
    });
    if (!exchange.running) {
      await exchange.start();
      await exchange.serving();
      if (exchange.kills % 10 === 0) {
        console.error(`${exchange.kills.toString()} of ${kills.toString()} kills`);
      }
    }
    if (upload.faults.length > 20) break;
  }
  digests = await upload.digests();
} finally {
  await exchange.stop();
  await s3?.stop();
  await folder.remove();
}
const failures = [...upload.faults, ...exchange.faults];
if (digests.held !== digests.sent) failures.push('the SHA-256 of what is held is not that of what was sent');
const text = JSON.stringify(
  {
    ...{ name: 'kill-upload', store: values.store, seed, bytes, kills: exchange.kills },
    ...{ offsetsTold: upload.answers, sha256: digests.held, failures },
    seconds: Math.round((performance.now() - begun) / 1000),
  },
  null,
  2,
);
console.log(text);
if (values.json !== undefined) writeFileSync(values.json, `${text}\n`);
process.exit(failures.length === 0 ? 0 : 1);

/** What the configuration says of the bucket; the secrets go into `file`. */
async function s3Settings(server: S3Server, file: string): Promise<Record<string, unknown>> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
  await writeFile(file, JSON.stringify({ accessKeyId, secretAccessKey }), { mode: 0o600 });
  return { kind: 's3', s3: { endpoint, region, bucket, credentialsFile: file } };
}
