/** One stream onto a disk. Peers: @tus/server for what only a process may lose, dd for what no power cut may take. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Findings } from './findings.ts';
import { MiB, openDiskFolder, openMemoryFolder, type Scale } from './scale.ts';
import { sendOnce, startSender } from './sending.ts';
import { type Subject, startSluis, startTusNode } from './subjects.ts';

const run = promisify(execFile);
const metric = 'one stream to disk';
const inProcess = 'sluis, mode process';
const durable = 'sluis, mode durable';
const peer = '@tus/server';
const dd = 'dd conv=fdatasync';

export async function disk(found: Findings, scale: Scale): Promise<void> {
  const { streamBytes: bytes, rounds } = scale;
  const folder = await openDiskFolder(3 * bytes);
  const memory = await openMemoryFolder(2 * bytes);
  const sender = startSender();
  const subjects: Subject[] = [];
  try {
    const source = memory.file('source');
    await fill(source, bytes);
    subjects.push(
      await startSluis(folder.file('process'), { durability: 'process' }, { name: inProcess }),
      await startSluis(folder.file('durable'), { durability: 'durable' }, { name: durable }),
      await startTusNode(folder.file('tus-node')),
    );
    const tries = [
      ...subjects.map((subject) => ({
        name: subject.name,
        once: async () => (await sendOnce(sender, subject, 1, bytes)).mebibytesPerSecond,
      })),
      { name: dd, once: () => ddOnce(source, folder.file('dd'), bytes) },
    ];
    for (let round = 0; round <= rounds; round += 1) {
      for (const { name, once } of tries) {
        // What the one before left to the kernel must not be written at this one's expense.
        await run('sync', ['-f', folder.path]);
        const rate = await once();
        found.progress(`disk ${round.toString()}/${rounds.toString()}  ${name}: ${rate.toFixed(0)} MiB/s`);
        if (round > 0) found.add(name, metric, 'MiB/s', rate);
      }
    }
  } finally {
    await Promise.all([sender, ...subjects].map((each) => each.stop()));
    await Promise.all([folder.remove(), memory.remove()]);
  }
  const rate = (of: string): number => found.of(of, metric);
  found.atLeast("on disk, mode process, of @tus/server's rate", rate(inProcess) / rate(peer), 1);
  found.atLeast("on disk, mode durable, of dd's rate with conv=fdatasync", rate(durable) / rate(dd), 0.8);
}

/** The same bytes as the sender has, so that a disk which knows zeros when it sees them gains nothing. */
export async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx');
  const block = randomBytes(MiB);
  for (let at = 0; at < bytes; at += block.length) await file.write(block);
  await file.close();
}

async function ddOnce(source: string, to: string, bytes: number): Promise<number> {
  const begun = performance.now();
  await run('dd', [`if=${source}`, `of=${to}`, 'bs=1M', 'conv=fdatasync']);
  const seconds = (performance.now() - begun) / 1000;
  await rm(to);
  return bytes / MiB / seconds;
}
