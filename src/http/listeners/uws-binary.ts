/** What we use of uWebSockets.js, as its binary has it; the types of the package leave out half of this. */
export interface Uws {
  App(): UwsApp;
  /** `silent` takes the `uWebSockets: 20` header out of answers. */
  _cfg(setting: 'silent'): void;
  us_listen_socket_close(socket: UwsListenSocket): void;
  us_socket_local_port(socket: UwsListenSocket): number;
  /** Without it a second process could listen on the same port and take half of the connections. */
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}

export type UwsListenSocket = { readonly __brand: 'us_listen_socket' };

export interface UwsApp {
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  listen(
    host: string,
    port: number,
    options: number,
    listening: (socket: UwsListenSocket | false) => void,
  ): UwsApp;
  /** Cuts every connection. */
  close(): UwsApp;
}

/** Valid only while the route handler runs. */
export interface UwsRequest {
  getCaseSensitiveMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
  forEach(header: (name: string, value: string) => void): void;
}

/** Throws when used after `end` or after onAborted ran. */
export interface UwsResponse {
  onAborted(aborted: () => void): UwsResponse;
  /** `chunk` is valid only inside the callback. */
  onData(arrived: (chunk: ArrayBuffer, last: boolean) => void): UwsResponse;
  /** Returning false says that more is to be written. */
  onWritable(writable: (offset: number) => boolean): UwsResponse;
  pause(): void;
  resume(): void;
  cork(write: () => void): UwsResponse;
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  /** False when some of it had to be buffered. */
  write(chunk: Uint8Array): boolean;
  tryEnd(chunk: Uint8Array, totalBytes: number): [taken: boolean, ended: boolean];
  getWriteOffset(): number;
  end(body: Uint8Array | string, close?: boolean): UwsResponse;
  /** Never with a length: above 0 the response is never complete and the process can be made to end. */
  endWithoutBody(): UwsResponse;
  close(): UwsResponse;
  getRemoteAddressAsText(): ArrayBuffer;
}

/** Loads the binary; `missing` says why it cannot be. Loaded late, so that its absence ends nothing. */
export async function loadUws(
  load: () => Promise<unknown> = () => import('uWebSockets.js'),
): Promise<{ readonly uws: Uws } | { readonly missing: unknown }> {
  try {
    const uws = (await load()) as Uws;
    uws._cfg('silent');
    return { uws };
  } catch (missing) {
    return { missing };
  }
}
