import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzz } from '../upload/engine.ts';
import { type Answer, AnswerParser, BadAnswer } from './answer.ts';

/** The answer in these pieces, and the connection's end behind them. */
function parse(pieces: readonly Uint8Array[], method = 'GET', isEnded = true): Answer | undefined {
  const parser = new AnswerParser(method);
  for (const piece of pieces) parser.push(piece);
  if (isEnded) parser.end();
  return parser.answer;
}
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('the reader of answers', () => {
  it('knows where an answer ends', () => {
    const cases: [what: string, method: string, text: string, body: string][] = [
      ['by its length', 'GET', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef', 'abc'],
      [
        'by its chunks',
        'GET',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
        'abc',
      ],
      [
        'by its trailers',
        'GET',
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n',
        'a',
      ],
      ['having no body: 204', 'PATCH', 'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n', ''],
      ['having no body: HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n', ''],
      ['without a reason', 'GET', 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n', ''],
    ];
    for (const [what, method, text, body] of cases)
      expect([what, parse([bytes(text)], method, false)?.body.toString()]).toEqual([what, body]);
  });

  it('reads to the end of the connection where nothing else says the length', () => {
    const text = bytes('HTTP/1.1 200 OK\r\n\r\nabc');
    expect(parse([text], 'GET', false)).toBeUndefined();
    expect(parse([text])?.body.toString()).toBe('abc');
  });

  it('keeps interim answers apart, and repeated fields as they came', () => {
    const text =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 104 Upload Resumption Supported\r\nLocation: /a\r\n\r\n' +
      'HTTP/1.1 201 Created\r\nA: 1\r\nb:2\r\na:  3 \r\nContent-Length: 0\r\n\r\n';
    const answer = parse([bytes(text)], 'POST');
    expect([answer?.interim, answer?.status, answer?.header('A'), answer?.header('c')]).toEqual([
      [100, 104],
      201,
      '1, 3',
      undefined,
    ]);
    expect(answer?.headers.map(([name]) => name)).toEqual(['A', 'b', 'a', 'Content-Length']);
  });

  it('says what is no answer', () => {
    const cases: [text: string, says: RegExp][] = [
      ['', /without an answer/],
      ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab', /in the middle/],
      ['HTTP/1.1 200 OK\r\nContent-Le', /in the middle/],
      ['SSH-2.0-OpenSSH_9\r\n\r\n', /no HTTP/],
      ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n', /Content-Length: 3,4/],
      ['HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', /Content-Length: -1/],
      ['HTTP/1.1 200 OK\r\nA b: 3\r\n\r\n', /no header field/],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', /transfer encoding/],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /chunk size/],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n', /chunk longer/],
      [`HTTP/1.1 200 OK\r\nA: ${'a'.repeat(70_000)}`, /64 KiB/],
    ];
    for (const [text, says] of cases) expect(() => parse([bytes(text)]), text.slice(0, 60)).toThrow(says);
    expect(() => parse([bytes('x\r\n\r\n')])).toThrow(BadAnswer);
  });

  it('reads the same in whatever pieces it arrives', () => {
    const body = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(body, fc.boolean(), fc.array(fc.nat(200)), (sent, isChunked, cuts) => {
        const head = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${String(sent.length)}`;
        const chunks = [...sent].flatMap((byte) => [bytes('1\r\n'), Buffer.of(byte), bytes('\r\n')]);
        const whole = Buffer.concat([
          bytes(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n${head}\r\n\r\n`),
          ...(isChunked ? [...chunks, bytes('0\r\n\r\n')] : [sent]),
        ]);
        const at = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
        const pieces = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        const answer = parse(pieces, 'GET', false);
        expect([answer?.status, answer?.interim, answer?.body]).toEqual([200, [100], Buffer.from(sent)]);
      }),
      fuzz,
    );
  });
});
