import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultProxy, openFaultProxy } from '../../support/fault-proxy.ts';
import { openTempFolder, type TempFolder } from '../../support/temp-folder.ts';
import { Chaos } from './chaos.ts';
import { MoodyPacs } from './moody-pacs.ts';
import { MortalCommand } from './mortal-command.ts';
import { MortalExchange } from './mortal-exchange.ts';
import { OffsetKeeper } from './offset-keeper.ts';
import { Random } from './random.ts';
import { folderFaults, makeStudy, pacsFaults, type SoakStudy, writeFiles } from './study.ts';
import { type WatchedTransfer, Watcher } from './watcher.ts';

export interface RoundResult {
  readonly kills: number;
  readonly clientKills: number;
  readonly cuts: number;
  readonly transfers: number;
  readonly instances: number;
  readonly offsetsTold: number;
  readonly stows: number;
  readonly unsaid: number;
  readonly faults: readonly string[];
}

/** After the last kill everything has come to rest within this. */
const restMsMax = 90_000;
/** Then the PACS has no moods any more, and clients begin anew, so that their long pauses are not waited for. */
const pausesMsMax = 12_000;
/** After everything is delivered, nothing may be sent for so long after a start. */
const quietMs = 700;

const sender = 'zh-sender';
const pulled = 'zh-pulled';
const pushed = 'zh-pushed';

/** One round: a fresh exchange, some studies, kills and cuts, calm, and what is wrong then. */
export async function killRound(seed: number, round: number): Promise<RoundResult> {
  const random = new Random(seed * 10_007 + round);
  const folder = await openTempFolder('sluis-soak');
  const pacs = await MoodyPacs.open(random.fork());
  let exchange: MortalExchange | undefined;
  let line: FaultProxy | undefined;
  try {
    exchange = await MortalExchange.make(folder.path, mailboxes(pacs), settings(random));
    line = await openFaultProxy({
      target: { host: '127.0.0.1', port: exchange.port },
      bytesPerSecondUp: random.between(1, 6) * 1_000_000,
      bytesPerSecondDown: random.between(1, 6) * 1_000_000,
      latencyMs: random.pick([0, 0, 5]),
    });
    return await new KillRound({ random, seed, round, folder, pacs, exchange, line }).run();
  } finally {
    await exchange?.kill();
    await line?.close();
    await pacs.pacs.close();
    await folder.remove();
  }
}

function mailboxes(pacs: MoodyPacs) {
  const dialect = 'nl-2010' as const;
  return [
    { id: sender, receiving: { by: 'pull' as const }, dialect },
    { id: pulled, receiving: { by: 'pull' as const }, dialect },
    { id: pushed, receiving: { by: 'stow' as const, url: pacs.pacs.url }, dialect },
  ];
}

/** Waits that make a round of seconds out of one of minutes; what is waited for is the same. */
function settings(random: Random): Readonly<Record<string, unknown>> {
  return {
    log: { level: 'info' },
    upload: {
      durability: random.pick(['durable', 'durable', 'process']),
      checkpointBytes: random.pick([64 * 1024, 256 * 1024, 64 * 1024 * 1024]),
      checkpointSeconds: random.pick([0.01, 0.1, 1]),
    },
    stow: { batchInstances: random.pick([1, 3, 10, 30]), idleWriteSeconds: 1, answerSeconds: 1.5 },
    retry: { firstSeconds: 0.1, maxSeconds: 1 },
  };
}

interface Parts {
  readonly random: Random;
  readonly seed: number;
  readonly round: number;
  readonly folder: TempFolder;
  readonly pacs: MoodyPacs;
  readonly exchange: MortalExchange;
  readonly line: FaultProxy;
}

class KillRound {
  readonly #parts: Parts;
  readonly #studies: SoakStudy[] = [];
  readonly #senders: MortalCommand[] = [];
  readonly #receiver: MortalCommand;
  readonly #watcher: Watcher;
  readonly #faults: string[] = [];

  constructor(parts: Parts) {
    const { random, exchange, folder } = parts;
    this.#parts = parts;
    this.#watcher = new Watcher(exchange, sender);
    const once = random.chance(0.5) ? ['--once'] : [];
    const out = ['--mailbox', pulled, '--out', folder.file('received')];
    this.#receiver = new MortalCommand(['receive', ...this.#client(pulled), ...out, ...once], true);
  }

  async run(): Promise<RoundResult> {
    const { random, exchange, pacs, line } = this.#parts;
    const keeper = this.#keeper();
    const begun = await this.#makeSenders();
    const over = new AbortController();
    const chaos = new AbortController();
    const commands = (): MortalCommand[] => [...this.#senders, this.#receiver];
    const causes = new Chaos({ exchange, pacs, line, commands });
    const watching = this.#watcher.run(over.signal);
    const keeping = keeper.run(over.signal);
    const receiving = this.#receiver.run();
    const sending = Promise.all(begun.map((begin) => begin()));
    const others = [
      causes.killCommands(random.fork(), chaos.signal),
      causes.breakLines(random.fork(), chaos.signal),
    ];
    await causes.killExchange(random.fork(), random.between(3, 10));
    chaos.abort();
    await Promise.all(others);
    line.unstall();
    try {
      await this.#rest(Promise.all([sending, keeping]));
      await this.#receiver.stop();
      await this.#checkEnd();
    } finally {
      over.abort();
      await Promise.all(commands().map((command) => command.stop()));
      await Promise.all([watching, keeping, receiving, sending]);
    }
    return this.#result(keeper);
  }

  #client(organization: string): string[] {
    const { line, exchange } = this.#parts;
    const server = `http://127.0.0.1:${line.port.toString()}`;
    return ['--server', server, '--token-file', exchange.tokenFile(organization), '--give-up-after', '60'];
  }

  #keeper(): OffsetKeeper {
    const { random, line, exchange } = this.#parts;
    const study = this.#study([pulled, pushed]);
    const server = `http://127.0.0.1:${line.port.toString()}`;
    const token = exchange.token(sender);
    const route = { from: sender, to: study.to };
    return new OffsetKeeper({ server, token, ...route, random: random.fork() }, study.instances);
  }

  #study(to: readonly string[]): SoakStudy {
    const { seed, round, random } = this.#parts;
    const study = makeStudy(random, seed * 1_000_003 + round * 101 + this.#studies.length, to);
    this.#studies.push(study);
    return study;
  }

  /** Writes the studies; each of what it returns begins to send one, some time from then. */
  async #makeSenders(): Promise<(() => Promise<void>)[]> {
    const { random, folder } = this.#parts;
    const begun: (() => Promise<void>)[] = [];
    for (let number = random.between(4, 7); number > 0; number -= 1) {
      const study = this.#study(random.pick([[pulled], [pushed], [pushed], [pulled, pushed]]));
      const path = folder.file('studies', number.toString());
      await writeFiles(path, study);
      const way = ['--from', sender, '--to', study.to.join(), '--priority', study.priority];
      const command = new MortalCommand(['send', ...this.#client(sender), ...way, path]);
      this.#senders.push(command);
      const afterMs = random.between(0, 3_000);
      begun.push(async () => {
        await sleep(afterMs);
        await command.run();
      });
    }
    return begun;
  }

  /** Waits until all is sent and delivered, or says what is not. */
  async #rest(sent: Promise<unknown>): Promise<void> {
    let isSent = false;
    void sent.then(() => {
      isSent = true;
    });
    const begun = performance.now();
    let impatient = false;
    for (;;) {
      const transfers = await this.#watcher.look();
      if (isSent && transfers !== undefined && this.#isAtRest(transfers)) return;
      const ms = performance.now() - begun;
      if (ms > restMsMax) {
        const open = (transfers ?? []).filter(({ state }) => state !== 'delivered');
        this.#faults.push(`not at rest after ${restMsMax.toString()} ms: ${JSON.stringify(open)}`);
        return;
      }
      if (ms > pausesMsMax && !impatient) {
        impatient = true;
        await this.#parts.pacs.calm();
        for (const command of [...this.#senders, this.#receiver]) command.kill();
      }
      await sleep(150);
    }
  }

  #isAtRest(transfers: readonly WatchedTransfer[]): boolean {
    return transfers.length >= this.#studies.length && transfers.every(({ state }) => state === 'delivered');
  }

  /** What is true when everything is over; then once more after an orderly stop and a start. */
  async #checkEnd(): Promise<void> {
    const { exchange, pacs, folder } = this.#parts;
    const before = await this.#watcher.look();
    this.#checkCounts(before ?? []);
    for (const study of this.#studies) {
      if (study.to.includes(pushed)) this.#faults.push(...pacsFaults(study, pacs.pacs.held));
      if (study.to.includes(pulled))
        this.#faults.push(...(await folderFaults(study, folder.file('received'))));
    }
    for (const { sopInstanceUid, ms } of pacs.sentAgain) {
      this.#faults.push(`${sopInstanceUid} was sent again, ${ms.toString()} ms after the PACS held it`);
    }
    const posts = pacs.pacs.posts;
    await exchange.stop();
    await exchange.start();
    await exchange.serving();
    await sleep(quietMs);
    const after = await this.#watcher.look();
    if (JSON.stringify(after) !== JSON.stringify(before)) {
      this.#faults.push('after an orderly stop and a start the transfers are not what they were');
    }
    if (pacs.pacs.posts !== posts) this.#faults.push('something was sent after everything was delivered');
    const inbox = await exchange.get(pulled, `/v1/mailboxes/${pulled}/inbox`);
    if (JSON.stringify(inbox) !== '{"items":[],"next":null}') {
      this.#faults.push(`the inbox is not empty: ${JSON.stringify(inbox)}`);
    }
    await exchange.stop();
    await this.#checkObjects(after ?? []);
  }

  /** One transfer for each study, and each says what it is. */
  #checkCounts(transfers: readonly WatchedTransfer[]): void {
    const wanted = this.#studies.map(({ instances, to }) => {
      const bytes = instances.reduce((sum, one) => sum + one.bytes.byteLength, 0);
      const deliveries = to.map((mailbox) => {
        const state = mailbox === pulled ? 'confirmed' : 'delivered';
        return `${mailbox} ${state} ${instances.length.toString()}/${instances.length.toString()}`;
      });
      return `${instances.length.toString()} instances, ${bytes.toString()} bytes: ${deliveries.sort().join(', ')}`;
    });
    const found = transfers.map(({ instances, bytes, deliveries }) => {
      const each = deliveries.map(
        ({ mailbox, state, delivered, of }) => `${mailbox} ${state} ${delivered.toString()}/${of.toString()}`,
      );
      return `${instances.toString()} instances, ${bytes.toString()} bytes: ${each.sort().join(', ')}`;
    });
    if (wanted.sort().join('\n') !== found.sort().join('\n')) {
      this.#faults.push(`transfers should be\n${wanted.join('\n')}\nand are\n${found.join('\n')}`);
    }
  }

  /** No bytes without a record: an object for each upload and none besides. */
  async #checkObjects(transfers: readonly WatchedTransfer[]): Promise<void> {
    const uploads = transfers.reduce((sum, { uploads: own = [] }) => sum + own.length, 0);
    const objects = await readdir(`${this.#parts.exchange.dataFolder}/storage/objects`, {
      recursive: true,
      withFileTypes: true,
    });
    const files = objects.filter((entry) => entry.isFile()).length;
    if (files !== uploads) {
      this.#faults.push(`storage has ${files.toString()} objects for ${uploads.toString()} uploads`);
    }
  }

  #result(keeper: OffsetKeeper): RoundResult {
    const { exchange, line, pacs } = this.#parts;
    const commands = [...this.#senders, this.#receiver];
    return {
      kills: exchange.kills,
      clientKills: commands.reduce((sum, { kills }) => sum + kills, 0),
      cuts: line.cuts,
      transfers: this.#studies.length,
      instances: this.#studies.reduce((sum, { instances }) => sum + instances.length, 0),
      offsetsTold: keeper.answers,
      stows: pacs.pacs.posts,
      unsaid: pacs.unsaid,
      faults: [
        ...this.#faults,
        ...this.#watcher.faults,
        ...keeper.faults,
        ...exchange.faults,
        ...commands.flatMap(({ faults }) => faults),
      ],
    };
  }
}
