import { writeFile } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';
import { ExchangeDouble, TOKEN } from './exchange-double.ts';

export interface OpenDouble {
  readonly folder: TempFolder;
  readonly exchange: ExchangeDouble;
  readonly close: () => Promise<void>;
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
