import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultProxy } from '../../support/fault-proxy.ts';
import type { MoodyPacs } from './moody-pacs.ts';
import type { MortalCommand } from './mortal-command.ts';
import type { MortalExchange } from './mortal-exchange.ts';
import type { Random } from './random.ts';

/** What the log says at moments where a kill is worth most. */
const events =
  /"event":"(?:upload\.received|delivery\.offered|delivery\.ended|lane\.attempt-failed|lane\.answer-unclear)"/;

/** Of one command: on a busy machine it would never get as far as to send anything. */
const killsMax = 4;

interface ChaosParts {
  readonly exchange: MortalExchange;
  readonly pacs: MoodyPacs;
  readonly line: FaultProxy;
  readonly commands: () => readonly MortalCommand[];
}

/** Who kills and cuts, each at moments that a chance of its own draws. */
export class Chaos {
  readonly #parts: ChaosParts;

  constructor(parts: ChaosParts) {
    this.#parts = parts;
  }

  /** Ends the exchange so many times, nearly always by kill -9, and leaves it running. */
  async killExchange(random: Random, times: number): Promise<void> {
    const { exchange, pacs } = this.#parts;
    for (let kill = 0; kill < times; kill += 1) {
      const moment = random.pick(['any', 'any', 'starting', 'stored', 'stored', 'logged', 'logged']);
      if (moment === 'starting') {
        await sleep(random.between(0, 700));
      } else {
        await exchange.serving();
        if (moment === 'any') await sleep(random.between(0, 2_500));
        if (moment === 'stored') await pacs.stored(4_000);
        if (moment === 'logged') {
          await sleep(random.between(0, 800));
          await exchange.logged(events, 1_500);
        }
        // From the very moment to some commits later.
        await sleep(random.pick([0, 1, 2, 5, 10, 20, 50]));
      }
      // An operator's stop in the middle of everything has to be as harmless as a kill.
      if (moment !== 'starting' && random.chance(0.15)) await exchange.stop();
      else await exchange.kill();
      await sleep(random.pick([0, 0, 100, 400]));
      await exchange.start();
    }
    await exchange.serving();
  }

  async killCommands(random: Random, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(random.between(300, 2_500), signal);
      const mortal = this.#parts.commands().filter(({ running, kills }) => running && kills < killsMax);
      const [first, ...rest] = mortal;
      if (first !== undefined && !signal.aborted) random.pick([first, ...rest]).kill();
    }
  }

  async breakLines(random: Random, signal: AbortSignal): Promise<void> {
    const { line, pacs } = this.#parts;
    while (!signal.aborted) {
      await pause(random.between(50, 700), signal);
      switch (random.pick(['cut', 'cut', 'cut up', 'cut down', 'stall', 'qido', 'pacs'])) {
        case 'cut':
          line.cutAll(random.pick(['reset', 'fin']));
          break;
        case 'cut up':
          line.cutAfterBytesUp(random.between(1, 300_000));
          break;
        case 'cut down':
          line.cutAfterBytesDown(random.between(1, 20_000));
          break;
        case 'stall':
          line.stall();
          await pause(random.between(50, 500), signal);
          line.unstall();
          break;
        case 'qido':
          pacs.pacs.qidoStatus = random.pick([500, 503]);
          await pause(random.between(100, 600), signal);
          pacs.pacs.qidoStatus = null;
          break;
        default:
          await pacs.pacs.down();
          await pause(random.between(0, 400), signal);
          await pacs.pacs.up();
      }
    }
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
