import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExchangeProcess } from '../e2e/exchange-process.ts';
import { compareOutsidePatch } from '../support/compare.ts';
import { type FaultProxy, openFaultProxy } from '../support/fault-proxy.ts';
import { type Orthanc, startOrthanc } from '../support/orthanc.ts';
import { type Program, startProgram } from '../support/processes.ts';
import { openRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';
import { type WrittenInstance, writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const MiB = 1024 * 1024;
const instances = 2_000;
const lineBytesPerSecond = 50e6;
const checkpointBytes = 64 * MiB;
const memoryBytesMax = 300e6;
const dcmdumpSamples = 25;
const stepMs = 600_000;

/**
 * The whole way of a study of 2,000 instances and 1 GB, at once into a real PACS and into a pulled mailbox,
 * with everything breaking on the way. One story in four steps; each step needs the one before.
 */
describe('a study of 2,000 instances and 1 GB', () => {
  let folder: TempFolder;
  let orthanc: Orthanc;
  let recorder: RecordingProxy;
  let line: FaultProxy;
  let exchange: ExchangeProcess;
  let files: WrittenInstance[];
  let transfer = '';
  let exchangeKills = 0;

  beforeAll(async () => {
    folder = await openTempFolder('sluis-study');
    orthanc = await startOrthanc();
    recorder = await openRecordingProxy({ target: { host: '127.0.0.1', port: orthanc.httpPort } });
    files = await writeStudy(folder.file('study'), { modality: 'CT', instances, seed: 2026 });
    exchange = await ExchangeProcess.start(
      folder.path,
      [
        { id: 'sender', receiving: { by: 'pull' }, dialect: 'nl-2010' },
        { id: 'pacs', receiving: { by: 'stow', url: `${recorder.url}/dicom-web` }, dialect: 'nl-2010' },
        { id: 'pulled', receiving: { by: 'pull' }, dialect: 'none' },
      ],
      { retry: { firstSeconds: 1, maxSeconds: 5 } },
    );
    line = await openFaultProxy({
      target: { host: '127.0.0.1', port: exchange.port },
      bytesPerSecondUp: lineBytesPerSecond,
    });
  }, stepMs);

  afterAll(async () => {
    await exchange?.stop();
    await line?.close();
    await recorder?.close();
    await orthanc?.stop();
    await folder?.remove();
  }, stepMs);

  const send = (): Promise<Program> =>
    startProgram([
      ...['send', '--server', `http://127.0.0.1:${line.port.toString()}`, '--json'],
      ...['--token-file', exchange.tokenFile('sender'), '--from', 'sender', '--to', 'pacs,pulled'],
      folder.file('study'),
    ]);

  const until = async (what: string, reached: () => boolean): Promise<void> => {
    const deadline = Date.now() + stepMs / 2;
    while (!reached()) {
      if (Date.now() > deadline) {
        throw new Error(`${what} did not come about`);
      }
      await sleep(20);
    }
  };

  it(
    'comes in whole, though the client is killed three times and the exchange once, and little is sent twice',
    async () => {
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      let sender = await send();
      for (const part of [0.15, 0.4, 0.65]) {
        await until(`${part.toString()} of the upload`, () => line.bytesUp > part * bytes || !sender.running);
        expect(sender.running).toBe(true);
        sender.kill('SIGKILL');
        await sender.exited;
        sender = await send();
      }
      await until('0.8 of the upload', () => line.bytesUp > 0.8 * bytes || !sender.running);
      expect(sender.running).toBe(true);
      await exchange.kill();
      exchangeKills++;
      await exchange.startAgain();
      await sender.exited;
      const answer = JSON.parse(sender.stdout.at(-1) ?? '{}') as { id?: string; instances?: number };
      expect(answer, sender.stderr.slice(-5).join('\n')).toMatchObject({ instances });
      transfer = answer.id ?? '';

      const twice = line.bytesUp - bytes;
      const allowed = 0.01 * bytes + exchangeKills * Math.max(checkpointBytes, lineBytesPerSecond);
      console.log(
        `sent twice: ${(twice / MiB).toFixed(1)} MiB of ${(bytes / MiB).toFixed(0)} MiB (${((100 * twice) / bytes).toFixed(2)} %), allowed ${(allowed / MiB).toFixed(1)} MiB`,
      );
      expect(twice).toBeLessThanOrEqual(allowed);
    },
    stepMs,
  );

  it(
    'reaches a real PACS, though the exchange is killed on the way, and nothing confirmed is sent again',
    async () => {
      const confirmed = (): number => recorder.stows.flatMap((stow) => stow.responseReferenced).length;
      await until('a third of the delivery', () => confirmed() > instances / 3);
      await exchange.kill();
      // In the middle of the delivery, or this shows nothing.
      expect(confirmed()).toBeLessThan(instances);
      exchangeKills++;
      await exchange.startAgain();
      let view: { deliveries?: { mailbox: string; state: string; delivered: number }[] } = {};
      const deadline = Date.now() + stepMs / 2;
      while (Date.now() < deadline) {
        view = (await exchange.get('sender', `/v1/transfers/${transfer}`)).body as typeof view;
        if (view.deliveries?.some(({ mailbox, state }) => mailbox === 'pacs' && state === 'delivered')) {
          break;
        }
        await sleep(250);
      }
      expect(view.deliveries).toContainEqual(
        expect.objectContaining({ mailbox: 'pacs', state: 'delivered', delivered: instances }),
      );
      expect(recorder.sentAfterConfirmed()).toEqual([]);
      const sent = recorder.stows.flatMap((stow) => stow.sopInstanceUids).length;
      console.log(
        `instances sent to the PACS: ${sent.toString()} for ${instances.toString()}, in ${recorder.stows.length.toString()} requests`,
      );
    },
    stepMs,
  );

  it(
    'is in the PACS instance by instance, equal outside the patch, with the BSN where the dialect says',
    async () => {
      const held = new Map((await orthanc.instances()).map((one) => [one.sopInstanceUid, one.orthancId]));
      expect(held.size).toBe(instances);
      const queue = files.entries();
      const compareNext = async (): Promise<void> => {
        for (const [at, file] of queue) {
          const stored = await orthanc.file(held.get(file.sopInstanceUid) ?? 'missing');
          expect(compareOutsidePatch(readFileSync(file.path), stored), file.fileName).toMatchObject({
            equal: true,
          });
          expect(stored.byteLength).toBeGreaterThan(file.bytes);
          if (at % Math.ceil(instances / dcmdumpSamples) === 0) {
            await expectBsnReadBack(stored, folder.file(`stored-${at.toString()}.dcm`));
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, compareNext));
    },
    stepMs,
  );

  it(
    'reaches a pulled mailbox byte for byte, though the line is cut five times',
    async () => {
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const pullLine = await openFaultProxy({ target: { host: '127.0.0.1', port: exchange.port } });
      try {
        const receiver = await startProgram([
          ...['receive', '--server', `http://127.0.0.1:${pullLine.port.toString()}`, '--once'],
          ...[
            '--token-file',
            exchange.tokenFile('pulled'),
            '--mailbox',
            'pulled',
            '--out',
            folder.file('received'),
          ],
        ]);
        for (const part of [0.1, 0.3, 0.5, 0.7, 0.9]) {
          await until(
            `${part.toString()} of the pull`,
            () => pullLine.bytesDown > part * bytes || !receiver.running,
          );
          expect(receiver.running, receiver.stderr.slice(-5).join('\n')).toBe(true);
          pullLine.cutAll('reset');
        }
        expect(await receiver.exited).toMatchObject({ code: 0 });
        expect(pullLine.cuts).toBe(5);
        console.log(`pulled twice: ${(((pullLine.bytesDown - bytes) / bytes) * 100).toFixed(2)} %`);
      } finally {
        await pullLine.close();
      }
      const received = filesBelow(folder.file('received'));
      expect(received.length).toBe(instances);
      const sent = await digestsOf(files.map(({ path }) => path));
      expect(new Set(sent).size).toBe(instances);
      expect(await digestsOf(received)).toEqual(sent);
      const { body } = await exchange.get('sender', `/v1/transfers/${transfer}`);
      expect(body).toMatchObject({ state: 'delivered' });
    },
    stepMs,
  );

  it('needed less than 300 MB of memory in the exchange', () => {
    console.log(
      `peak memory of the exchange (RssAnon + RssShmem): ${(exchange.peakMemoryBytes / 1e6).toFixed(0)} MB`,
    );
    expect(exchange.peakMemoryBytes).toBeGreaterThan(0);
    expect(exchange.peakMemoryBytes).toBeLessThan(memoryBytesMax);
  });
});

/** Read back by somebody else's program. */
async function expectBsnReadBack(stored: Uint8Array, path: string): Promise<void> {
  await writeFile(path, stored);
  const { stdout } = await promisify(execFile)('dcmdump', ['+P', '0010,1002', path]);
  expect(stdout).toMatch(/\(0010,0020\) LO \[999990019\s*\]/);
  expect(stdout).toMatch(/\(0010,0021\) LO \[NLMINBIZA\s*\]/);
  expect(stdout).toMatch(/\(0040,0032\) UT \[2\.16\.840\.1\.113883\.2\.4\.6\.3\s*\]/);
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) {
    return [];
  }
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.dcm'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Sorted. */
async function digestsOf(paths: readonly string[]): Promise<string[]> {
  const digests: string[] = [];
  for (const path of paths) {
    digests.push(await sha256Of(path));
  }
  return digests.sort();
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
