import type { Socket } from 'node:net';

/**
 * Closes a socket with an RST at once, dropping what was not sent. `socket.resetAndDestroy()` is not
 * that: it first waits for pending writes and sends a FIN, which the peer may take for a proper end.
 * The flag is the one that it sets itself; a test watches that peers see a reset.
 */
export function reset(socket: Socket): void {
  Object.assign(socket, { resetAndClosing: true });
  socket.destroy();
}
