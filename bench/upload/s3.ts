/** One stream until S3 has all of it, against the AWS SDK's own multipart upload of a file to the same server. */
import { writeFile } from 'node:fs/promises';
import { type S3Server, startS3Server } from '../../test/support/s3-server.ts';
import { cpuSeconds, type Helper, startHelper } from '../lib/helper.ts';
import { fill } from './disk.ts';
import type { Findings } from './findings.ts';
import { GiB, MiB, openMemoryFolder, type Scale } from './scale.ts';
import { startSender } from './sending.ts';
import { type Subject, startSluis } from './subjects.ts';

const ours = 'sluis to S3';
const peer = 'AWS SDK to S3';
const metric = 'one stream';

export async function s3(found: Findings, scale: Scale): Promise<void> {
  // Ten times slower than what goes to a disk, so half of it is enough.
  const bytes = scale.streamBytes / 2;
  const rounds = Math.min(3, scale.rounds);
  // All of it in memory: a disk below both the spool and the server of S3 would be what is measured.
  const folder = await openMemoryFolder(6 * bytes);
  const began: { stop(): Promise<unknown> }[] = [];
  try {
    const server = await serverIn(folder.path);
    began.push(server);
    const credentialsFile = folder.file('credentials.json');
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
    await writeFile(credentialsFile, JSON.stringify({ accessKeyId, secretAccessKey }), { mode: 0o600 });
    const place = { endpoint, region, bucket, credentialsFile };
    const sender = startSender();
    began.push(sender);
    const sdk = startHelper(new URL('./servers/aws-sdk.js', import.meta.url));
    began.push(sdk);
    await sdk.ask('start', server);
    const sluis = await startSluis(folder.file('spool'), {}, { name: ours, s3: place });
    began.push(sluis);
    const source = folder.file('source');
    await fill(source, bytes);

    const tries = [
      { name: ours, pid: sluis.pid, once: () => sendToS3(sender, sluis, bytes) },
      { name: peer, pid: sdk.pid, once: () => sdk.ask<number>('upload', { path: source }) },
    ];
    // The first round warms up and does not count.
    for (let round = 0; round <= rounds; round += 1) {
      for (const { name, pid, once } of tries) {
        const before = cpuSeconds(pid);
        const rate = bytes / MiB / (await once());
        const cpu = (cpuSeconds(pid) - before) / (bytes / GiB);
        found.progress(
          `s3 ${round.toString()}/${rounds.toString()}  ${name}: ` +
            `${rate.toFixed(0)} MiB/s, ${cpu.toFixed(2)} CPU s/GiB`,
        );
        if (round === 0) continue;
        found.add(name, metric, 'MiB/s', rate);
        found.add(name, `${metric}, CPU`, 's/GiB', cpu);
      }
    }
  } finally {
    for (const each of began.reverse()) await each.stop();
    await folder.remove();
  }
  found.note("sluis to S3 counts the receiving and the spool too; the AWS SDK's upload begins with a file");
  found.atLeast("to S3, of the AWS SDK's rate", found.of(ours, metric) / found.of(peer, metric), 0.8);
}

/** The seconds from the first byte until S3 has the last one. */
async function sendToS3(sender: Helper, { target, helper }: Subject, bytes: number): Promise<number> {
  const paths = await sender.ask<string[]>('create', { target, count: 1, bytes });
  const begun = performance.now();
  await sender.ask('send', { target, paths, bytes });
  await helper?.ask('offloaded');
  const seconds = (performance.now() - begun) / 1000;
  await sender.ask('remove', { target, paths });
  return seconds;
}

/** It keeps its objects where temporary files go. */
async function serverIn(folder: string): Promise<S3Server> {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    return await startS3Server();
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}
