import assert from 'node:assert';
import { STATUS_CODES } from 'node:http';

/** Framing is the listener's: by hand these would come twice (uWS) or contradict the body. */
const framing: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'date',
]);

/** RFC 9110, 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * The headers of an answer as they go out: without those that frame it, and with `?` for every character
 * that is not printable ASCII, so that no value, wherever it came from, can begin a header of its own.
 */
export function answerHeaders(
  headers: Readonly<Record<string, string>> = {},
): [name: string, value: string][] {
  return Object.entries(headers)
    .filter(([name]) => !framing.has(name.toLowerCase()))
    .map(([name, value]) => {
      assert(token.test(name), 'a header name of our own is malformed');
      return [name, value.replace(/[^\t\x20-\x7e]/g, '?')];
    });
}

/** Statuses that no RFC names. */
const phrases: Readonly<Record<number, string>> = {
  // tus 1.0.0, Checksum.
  460: 'Checksum Mismatch',
  499: 'Client Closed Request',
};

/** `Not Found`. */
export function phraseOf(status: number): string {
  return STATUS_CODES[status] ?? phrases[status] ?? 'Unknown';
}

/** `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status.toString()} ${phraseOf(status)}`;
}

/** RFC 9110, 6.4.1: answers that end with their head, whatever else they say. */
export function headOnly(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}
