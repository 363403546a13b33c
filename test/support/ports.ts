import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * Free ports of 127.0.0.1, all different, for programs that cannot listen on port 0. They are free when
 * this resolves; another process may still be quicker.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Listening on an IP address and port, the address is an object.
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
