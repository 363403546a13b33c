import { dispatch } from './dispatch.ts';
import { processTerminal } from './terminal.ts';

// `sluis inspect … | head` closes the pipe: that is an end, not a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

// Not process.exit(): what was printed into a pipe may still be on its way.
process.exitCode = await dispatch(process.argv.slice(2), processTerminal);
