import { writeFile } from 'node:fs/promises';
import { dispatch } from '../../src/cli/dispatch.ts';
import { writeStudy } from '../support/study/write-study.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeDouble, TOKEN } from './exchange-double.ts';
import { watchedTerminal } from './watched-terminal.ts';

export interface OpenDouble {
  readonly folder: TempFolder;
  readonly exchange: ExchangeDouble;
  readonly close: () => Promise<void>;
}

export type Sending = Awaited<ReturnType<typeof openSending>>;

/** The same with a study in the folder `study`, and `send` from south to north. */
export async function openSending(instances: number, bytesPerInstance: number) {
  const open = await openDouble();
  const { folder, exchange } = open;
  const study = await writeStudy(folder.file('study'), {
    modality: 'CT',
    instances,
    bytesPerInstance,
    seed: 7,
  });
  const send = async (...args: string[]) => {
    const watched = watchedTerminal({
      env: { SLUIS_SERVER: exchange.url, SLUIS_TOKEN_FILE: folder.file('token') },
    });
    const code = await dispatch(['send', '--from', 'south', '--to', 'north', ...args], watched.terminal);
    return { code, out: watched.out(), err: watched.err() };
  };
  return { ...open, study, send };
}

/** The double, and a folder of one's own with its token in the file `token`. */
export async function openDouble(): Promise<OpenDouble> {
  const folder = await openTempFolder();
  const exchange = await ExchangeDouble.open();
  await writeFile(folder.file('token'), `${TOKEN}\n`);
  return {
    folder,
    exchange,
    close: async () => {
      await exchange.close();
      await folder.remove();
    },
  };
}
