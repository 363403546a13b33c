import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Client } from './client.ts';

describe('the client', () => {
  const sockets = new Set<Socket>();
  let server: Server;

  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  /** A server that answers, with these bytes, once it has got what ends so; what it got is resolved with. */
  async function serve(until: string, answer: string | null): Promise<{ url: URL; got: Promise<string> }> {
    let tell: (text: string) => void = () => undefined;
    const got = new Promise<string>((resolve) => {
      tell = resolve;
    });
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        if (!text.endsWith(until)) return;
        tell(text);
        if (answer === null) return;
        socket.end(answer);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { url: new URL(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/a?b=c`), got };
  }
  const noContent = 'HTTP/1.1 204 No Content\r\n\r\n';
  const client = new Client({ waitMs: 300 });

  it('sends the very fields it was given, repeated ones too, and frames the body', async () => {
    const { url, got } = await serve('hello', noContent);
    const headers = [
      ['Upload-Offset', '0'],
      ['upload-offset', '5'],
      ['Empty', ''],
    ] as const;
    const answer = await client.send({ method: 'PATCH', url, headers, body: Buffer.from('hello') });
    expect(answer.status).toBe(204);
    expect(await got).toBe(
      `PATCH /a?b=c HTTP/1.1\r\nHost: ${url.host}\r\nUpload-Offset: 0\r\nupload-offset: 5\r\nEmpty: \r\n` +
        'Content-Length: 5\r\n\r\nhello',
    );
  });

  it('sends chunks with trailers behind them', async () => {
    const { url, got } = await serve('\r\n0\r\nSum: 1\r\n\r\n', noContent);
    const trailers = [['Sum', '1']] as const;
    const body = Buffer.alloc(8193, 'a');
    await client.send({ method: 'PATCH', url, headers: [], body, framing: 'chunked', trailers });
    const [head = '', ...chunks] = (await got).split('\r\n\r\n');
    expect(head).toMatch(/\r\nTransfer-Encoding: chunked\r\nTrailer: Sum$/);
    expect(chunks.join('\r\n\r\n')).toBe(`2000\r\n${'a'.repeat(8192)}\r\n1\r\na\r\n0\r\nSum: 1\r\n\r\n`);
  });

  it('says that no answer came, and how long it waited', async () => {
    const { url } = await serve('\r\n\r\n', null);
    await expect(client.send({ method: 'HEAD', url, headers: [] })).rejects.toThrow(
      'HEAD: no answer within 0.3 s',
    );
  });

  it('says how the connection ended when it did so without an answer', async () => {
    const { url } = await serve('\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab');
    await expect(client.send({ method: 'GET', url, headers: [] })).rejects.toThrow(
      'GET: the server closed the connection in the middle of its answer',
    );
  });

  it('says that nobody is there', async () => {
    const { url } = await serve('', null);
    server.close();
    await once(server, 'close');
    await expect(client.send({ method: 'GET', url, headers: [] })).rejects.toThrow(
      `${url.host} is not reachable: ECONNREFUSED`,
    );
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  it('knows an interim answer from the final one', async () => {
    const { url } = await serve('\r\n\r\n', 'HTTP/1.1 100 Continue\r\n\r\n');
    const request = await client.open({ method: 'PATCH', url, headers: [['Expect', '100-continue']] });
    expect([await request.interim(100), await request.interim(104)]).toEqual(['interim', 'nothing']);
    request.close();
  });
});
