// @tus/server as its documentation has it, on node:http and a port of its own choice, as a program of its own:
//   node conformance-tus-server.mjs FOLDER [EXPIRY_MS] [says-concatenation]
import { createServer } from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [directory = '', expiry = '0', concatenation] = process.argv.slice(2);
const datastore = new FileStore({ directory, expirationPeriodInMilliseconds: Number(expiry) });
if (concatenation !== undefined) datastore.extensions.push('concatenation');
const tus = new Server({ path: '/files', datastore, maxSize: 1_000_000_000 });

// Under Node 20 a body that it refused and did not read ends the process when the connection closes
// (ReadableStream is already closed). What else it does is to be seen too.
process.on('uncaughtException', (error) => console.error(`uncaught: ${error.message}`));
const server = createServer((request, response) => void tus.handle(request, response));
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
