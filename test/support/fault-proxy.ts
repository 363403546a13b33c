import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type CutHow, FaultLine } from './fault-line.ts';
import { reset } from './reset.ts';

export type { CutHow } from './fault-line.ts';

const HOST = '127.0.0.1';

export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** Cap towards the target, over all connections together; none when left out. */
  readonly bytesPerSecondUp?: number;
  /** Cap towards the clients, over all connections together; none when left out. */
  readonly bytesPerSecondDown?: number;
  /** One way, so a question and its answer take twice this; connecting is not delayed. */
  readonly latencyMs?: number;
}

/** A TCP proxy that behaves like a bad line. Up is from the clients to the target. */
export interface FaultProxy {
  readonly port: number;
  /** Handed to the target so far. */
  readonly bytesUp: number;
  /** Handed to the clients so far. */
  readonly bytesDown: number;
  /** Open now. */
  readonly connections: number;
  /** Accepted since the start. */
  readonly connectionsAccepted: number;
  /** Times that `cutAll` or a `cutAfter…` cut at least one connection. */
  readonly cuts: number;
  /** Ends every open connection on both sides: with an RST, or with a FIN as a process that stops does. */
  cutAll(how: CutHow): void;
  /**
   * Cuts everything once, when `bytes` more have been handed to the target. On a reset the kernel may
   * drop what the far end had not read yet: it gets at most that many.
   */
  cutAfterBytesUp(bytes: number, how?: CutHow): void;
  /** The same for what goes to the clients. */
  cutAfterBytesDown(bytes: number, how?: CutHow): void;
  /** Flips one bit of the byte that comes after `bytes` more towards the target: what no checksum of TCP's saw. */
  flipAfterBytesUp(bytes: number): void;
  /** Connections stay open and are accepted, nothing moves in either direction. */
  stall(): void;
  unstall(): void;
  /** Where new connections go, on the host of before; open ones stay where they are. */
  setTarget(port: number): void;
  /** Resets what is open. A second call does nothing. */
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
}

/** Listens on a free port of 127.0.0.1. A target that refuses is a reset to the client. */
export async function openFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let targetPort = options.target.port;
  let accepted = 0;
  let cuts = 0;

  const cutAll = (how: CutHow): void => {
    if (pairs.size > 0) cuts += 1;
    for (const pair of pairs) end(pair, how);
  };
  const latencyMs = options.latencyMs ?? 0;
  const up = new FaultLine({ bytesPerSecond: options.bytesPerSecondUp, latencyMs, cut: cutAll });
  const down = new FaultLine({ bytesPerSecond: options.bytesPerSecondDown, latencyMs, cut: cutAll });

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    accepted += 1;
    const target = connect({
      host: options.target.host,
      port: targetPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    const pair = { client, target };
    pairs.add(pair);
    const broken = (): void => end(pair, 'reset');
    client.on('error', broken);
    target.on('error', broken);
    const gone = (): void => {
      if (client.closed && target.closed) pairs.delete(pair);
    };
    client.on('close', gone);
    target.on('close', gone);
    up.carry(client, target).catch(broken);
    down.carry(target, client).catch(broken);
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  // Listening on an IP address and port, the address is an object.
  const { port } = server.address() as AddressInfo;

  return {
    port,
    get bytesUp() {
      return up.passed;
    },
    get bytesDown() {
      return down.passed;
    },
    get connections() {
      return pairs.size;
    },
    get connectionsAccepted() {
      return accepted;
    },
    get cuts() {
      return cuts;
    },
    cutAll,
    cutAfterBytesUp: (bytes, how = 'reset') => up.cutAfter(bytes, how),
    cutAfterBytesDown: (bytes, how = 'reset') => down.cutAfter(bytes, how),
    flipAfterBytesUp: (bytes) => up.flipAfter(bytes),
    stall() {
      up.stall();
      down.stall();
    },
    unstall() {
      up.unstall();
      down.unstall();
    },
    setTarget(newPort) {
      targetPort = newPort;
    },
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const pair of pairs) end(pair, 'reset');
      up.unstall();
      down.unstall();
      await closed;
    },
  };
}

function end({ client, target }: Pair, how: CutHow): void {
  for (const socket of [client, target]) {
    if (how === 'reset') reset(socket);
    // As the kernel does for a process that ends: the FIN goes out, what comes in after that gets an RST.
    else socket.end(() => socket.destroy());
  }
}
