import type { SluisError } from '../ops/error.ts';
import { ExpectationUnknown, HeaderRepeated, HeadRefused, LengthRequired, TooManyHeaders } from './errors.ts';
import type { RequestHeaders } from './exchange.ts';
import { headLimits } from './limits.ts';

/**
 * Headers of which a second one means that two readers of the request could disagree: about where it
 * ends (uWS takes the first Content-Length and parses the rest of the body as a next request), where its
 * bytes belong, or who sent it.
 */
const once: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'authorization',
  'upload-offset',
  'upload-length',
]);

export interface GuardedHead {
  readonly headers: RequestHeaders;
  /** As in RequestBody: undefined when the body is chunked, 0 when there is none. */
  readonly bodyBytes: number | undefined;
  /** Why the request must not be served; it is answered with this and the connection closed. */
  readonly refusal: SluisError | undefined;
}

/** Collects a request's headers one by one, as a listener finds them, and judges the whole. */
export class HeadGuard {
  readonly #chunkedBodies: boolean;
  readonly #headers = new Map<string, string>();
  #seen = 0;
  #refusal: SluisError | undefined;

  /** `chunkedBodies`: whether the listener reads chunks as RFC 9112, 7.1 has them. */
  constructor({ chunkedBodies }: { readonly chunkedBodies: boolean }) {
    this.#chunkedBodies = chunkedBodies;
  }

  /** `name` in any case. */
  add(name: string, value: string): void {
    this.#seen += 1;
    const key = name.toLowerCase();
    const before = this.#headers.get(key);
    if (before === undefined) this.#headers.set(key, value);
    else if (once.has(key)) this.#refusal ??= new HeaderRepeated(key);
    // RFC 9110, 5.3: several fields of one name mean the same as one with their values in a list.
    else this.#headers.set(key, `${before}, ${value}`);
  }

  /** `target` is path and query as they came. */
  judge(target: string): GuardedHead {
    const length = this.#headers.get('content-length');
    const coding = this.#headers.get('transfer-encoding');
    const unread = coding !== undefined && !this.#chunkedBodies ? new LengthRequired() : undefined;
    // uWS answers 505 to a body with trailers, after it has processed all of it.
    const trailing = this.#headers.has('trailer')
      ? new HeadRefused('trailers are not served here; send Upload-Checksum as a header, before the body')
      : undefined;
    return {
      headers: this.#headers,
      bodyBytes: coding === undefined ? Number(length ?? 0) : undefined,
      refusal: trailing ?? unread ?? this.#refusal ?? this.#judge(target, length, coding),
    };
  }

  #judge(target: string, length: string | undefined, coding: string | undefined): SluisError | undefined {
    // RFC 9112, 3.2.1 and RFC 3986: everything else in a path is percent-encoded.
    if (!/^\/[\x21-\x7e]*$/.test(target)) return new HeadRefused('the request target is not a path');
    if (this.#seen > headLimits.headers) return new TooManyHeaders(headLimits.headers);
    // RFC 9112, 6.1 and 6.3: a request with both is either an attack or a broken client.
    if (length !== undefined && coding !== undefined) {
      return new HeadRefused('Content-Length and Transfer-Encoding came together; send one of them');
    }
    if (length !== undefined && !/^\d{1,15}$/.test(length)) {
      return new HeadRefused('Content-Length is not a number of bytes');
    }
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      return new HeadRefused('the only Transfer-Encoding served here is chunked');
    }
    const expected = this.#headers.get('expect');
    if (expected !== undefined && expected.toLowerCase() !== '100-continue') return new ExpectationUnknown();
    return undefined;
  }
}
