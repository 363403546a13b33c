import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { writeStudy } from '../support/study/write-study.ts';
import type { TempFolder } from '../support/temp-folder.ts';
import type { ExchangeDouble } from './exchange-double.ts';
import { openDouble } from './open-double.ts';
import { watchedTerminal } from './watched-terminal.ts';

let folder: TempFolder;
let exchange: ExchangeDouble;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ folder, exchange, close } = await openDouble());
  await writeStudy(folder.file('study'), { modality: 'CT', instances: 2, bytesPerInstance: 2_000, seed: 5 });
});

afterEach(() => close());

async function sluis(...args: string[]) {
  const watched = watchedTerminal();
  const connection = ['--server', exchange.url, '--token-file', folder.file('token')];
  const code = await dispatch([...args, ...connection], watched.terminal);
  return { code, out: watched.out(), err: watched.err() };
}

const send = () => sluis('send', '--from', 'south', '--to', 'north', folder.file('study'));

describe('sluis transfers', () => {
  it('lists transfers as a table in plain words', async () => {
    await send();
    const { code, out } = await sluis('transfers', 'list');
    expect(code).toBe(0);
    const [head, row, ...rest] = out.trim().split('\n');
    expect(head).toMatch(/^id +from +to +instances +reports +size +state$/u);
    expect(row).toContain('complete and checked, waiting for its receiver');
    expect(rest).toEqual([]);
  });

  it('shows one with its deliveries and why they wait, its reasons and what to do', async () => {
    exchange.outcome = { state: 'held', reasons: ['PATIENT_MIXED', 'A_REASON_OF_TOMORROW'] };
    await send();
    const { code, out } = await sluis('transfers', 'show', exchange.transfers[0]?.id ?? '');
    expect(code).toBe(0);
    expect(out).toContain('held: a person has to look at it');
    expect(out).toContain('Send one patient per transfer.');
    expect(out).toContain('A_REASON_OF_TOMORROW');
    expect(out).toMatch(/north +queued +0 of 3 +the receiver answered 503/u);
    expect(out).toContain('it becomes a new transfer');
  });

  it('prints JSON that a script can read, with all that the exchange says', async () => {
    await send();
    const listed = await sluis('transfers', 'list', '--json');
    const shown = await sluis('transfers', 'show', exchange.transfers[0]?.id ?? '', '--json');
    expect(JSON.parse(listed.out)).toEqual(JSON.parse(shown.out));
    const { deliveries } = JSON.parse(shown.out) as { deliveries: unknown[] };
    const outcome = { attempts: 2, lastOutcome: 'the receiver answered 503', receipt: null };
    expect(deliveries).toMatchObject([{ id: exchange.transfers[0]?.id, ...outcome }]);
  });

  it('says so when there are none, and when one is unknown', async () => {
    expect((await sluis('transfers', 'list')).err).toContain('no transfers');
    const { code, err } = await sluis('transfers', 'show', 'unknown');
    expect(code).toBe(1);
    expect(err).toContain('SLUIS_TRANSFER_UNKNOWN');
  });
});
