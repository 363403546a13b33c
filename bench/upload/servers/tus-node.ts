/** The peer: @tus/server with its own file store, on node:http. */
import { createServer } from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';
import { answerQuestions } from '../../lib/helper.ts';
import type { Target } from '../target.ts';

async function start({ folder }: { folder: string }): Promise<Target> {
  const tus = new Server({ path: '/uploads', datastore: new FileStore({ directory: folder }) });
  const server = createServer((request, response) => void tus.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  return { port: address.port, base: '/uploads', token: 'none' };
}

answerQuestions({ start });
