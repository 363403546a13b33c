/** A thousand uploads at once: what do they hold in memory, and does the server still answer others quickly? */
import type { httpCounts } from '../../src/http/metrics.ts';
import { memoryBytes, watchMemory } from '../../test/support/memory.ts';
import { cpuSeconds, type Helper } from '../lib/helper.ts';
import { percentile } from '../lib/report.ts';
import type { Findings } from './findings.ts';
import { startProbe } from './probe.ts';
import { GiB, MiB, openMemoryFolder, type Scale } from './scale.ts';
import { startSender } from './sending.ts';
import { type Subject, startSluis } from './subjects.ts';

const subject = 'sluis';
/** What 1,000 uploads come to together. */
const RATE = 100 * MiB;
const CLIENTS = 50;
/** One read of uWebSockets.js: what comes on top of a full queue. */
const READ_BYTES = 512 * 1024;

interface Load {
  readonly name: string;
  readonly run: (sender: Helper, server: Subject) => Promise<unknown>;
}

export async function load(found: Findings, scale: Scale): Promise<void> {
  const seconds = scale.quick ? 2 : 20;
  const count = scale.quick ? 100 : 1000;
  const bytes = Math.round((RATE * seconds) / count);
  const loads: readonly Load[] = [
    {
      name: `${count.toString()} uploads paced to 100 MiB/s`,
      run: (sender, server) => sendAll(sender, server, count, bytes, { how: 'pace', rate: RATE }),
    },
    // What no pace holds back: nothing is asked of its answers, but memory has to hold.
    {
      name: `${count.toString()} uploads at full speed`,
      run: (sender, server) => sendAll(sender, server, count, bytes, { how: 'send' }),
    },
    {
      name: `${CLIENTS.toString()} clients, closed loop`,
      run: (sender, { target }) =>
        sender.ask('loop', { target, clients: CLIENTS, bytes: 32 * MiB, seconds: seconds / 2 }),
    },
  ];
  for (const one of loads) await measure(found, one);

  const [paced, full, closed] = loads.map(({ name }) => name) as [string, string, string];
  const memory = Math.max(...[paced, full].map((name) => found.of(subject, `${name}, memory`)));
  found.atMost(`${count.toString()} uploads: RssAnon + RssShmem in MiB`, memory, 1024);
  const queue = Math.max(...[paced, full, closed].map((name) => found.of(subject, `${name}, queue`)));
  found.atMost('the longest queue of a connection in MiB', queue, 8 + READ_BYTES / MiB);
  for (const name of [paced, closed]) {
    found.atMost(`${name}: p99 of HEAD in ms`, found.of(subject, `${name}, HEAD p99`), 250);
    found.atMost(`${name}: p99 of OPTIONS in ms`, found.of(subject, `${name}, OPTIONS p99`), 250);
  }
}

async function measure(found: Findings, { name, run }: Load): Promise<void> {
  const folder = await openMemoryFolder(5 * GiB);
  const server = await startSluis(folder.path);
  const sender = startSender();
  try {
    found.progress(name);
    const before = memoryBytes(server.pid);
    const cpuBefore = cpuSeconds(server.pid);
    const memory = watchMemory(server.pid);
    const probe = await startProbe(server.target);
    // Whatever becomes of the load: a probe that goes on asking keeps this process from ending.
    const { head, options } = await run(sender, server)
      .finally(() => memory.stop())
      .then(
        () => probe.stop(),
        async (error: unknown) => {
          await probe.stop().catch(() => undefined);
          throw error;
        },
      );
    const counts = await server.helper?.ask<Counts>('counts');
    found.add(subject, `${name}, memory`, 'MiB', memory.peakBytes / MiB);
    found.add(subject, `${name}, memory before`, 'MiB', before / MiB);
    found.add(subject, `${name}, CPU`, 's', cpuSeconds(server.pid) - cpuBefore);
    found.add(subject, `${name}, queue`, 'MiB', (counts?.bodyQueueBytesPeak ?? Number.NaN) / MiB);
    found.add(subject, `${name}, written synchronously`, 'MiB', (counts?.overrunBytes ?? Number.NaN) / MiB);
    for (const [method, ms] of Object.entries({ HEAD: head, OPTIONS: options })) {
      found.add(subject, `${name}, ${method} p50`, 'ms', percentile(ms, 0.5));
      found.add(subject, `${name}, ${method} p99`, 'ms', percentile(ms, 0.99));
      found.add(subject, `${name}, ${method} worst`, 'ms', Math.max(...ms));
    }
  } finally {
    await Promise.all([sender.stop(), server.stop()]);
    await folder.remove();
  }
}

type Counts = typeof httpCounts;

interface How {
  readonly how: 'pace' | 'send';
  readonly rate?: number;
}

async function sendAll(
  sender: Helper,
  { target }: Subject,
  count: number,
  bytes: number,
  { how, rate }: How,
): Promise<void> {
  const paths = await sender.ask<string[]>('create', { target, count, bytes });
  await sender.ask(how, { target, paths, bytes, rate });
}
