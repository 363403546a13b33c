import { readFile } from 'node:fs/promises';
import { createApiKey } from '../../src/access/api-keys.ts';
import { startExchange } from '../../src/main.ts';
import { configSchema } from '../../src/ops/config.ts';
import { openLog } from '../../src/ops/log.ts';
import { openTempFolder } from '../support/temp-folder.ts';
import { apiContract } from './api.contract.ts';
import { ExchangeDouble, TOKEN } from './exchange-double.ts';

const mailbox = (id: string) => ({ id, name: id, kind: 'decentral', dialect: 'none' });

apiContract('the exchange', async () => {
  const folder = await openTempFolder();
  const config = configSchema.parse({
    version: 1,
    http: { port: 0 },
    data: { folder: folder.path },
    storage: { watermarks: { bulk: 1, routine: 1, urgent: 1, acute: 1 } },
    addressBook: {
      organizations: [
        { id: 'region', name: 'Regio', place: 'Teststad', mailboxes: [mailbox('south'), mailbox('north')] },
      ],
    },
  });
  const exchange = await startExchange(config, openLog('silent'));
  const token = await exchange.state.commit((tx) =>
    createApiKey(tx, { organization: 'region', name: 'test', days: 1 }),
  );
  return {
    url: `http://127.0.0.1:${exchange.listener.port.toString()}`,
    token,
    offer: async () => {},
    close: async () => {
      await exchange.stop(AbortSignal.timeout(5_000));
      await folder.remove();
    },
  };
});

apiContract('its double', async () => {
  const double = await ExchangeDouble.open();
  return {
    url: double.url,
    token: TOKEN,
    offer: async ({ path, sopInstanceUid }) => {
      double.offer([{ sopInstanceUid, studyInstanceUid: '1.2.3', content: await readFile(path) }]);
    },
    close: () => double.close(),
  };
});
