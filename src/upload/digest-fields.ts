import type { RequestHeaders } from '../http/exchange.ts';
import { type ErrorFacts, SluisError } from '../ops/error.ts';
import type { RepresentationDigest } from '../state/records.ts';
import { type Checksum, checksumBytes } from './checksum.ts';
import { HeaderInvalid } from './errors.ts';
import { byteSequenceOf, readByteDictionary } from './structured-fields.ts';

/** RFC 9530: of this request's body, or of the whole that is uploaded. */
export type DigestField = 'Content-Digest' | 'Repr-Digest';

/** What Checksum calls them. The first that a field has is taken: processors have instructions for SHA-256. */
const algorithms = [
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
] as const;

/** RFC 9530, 4: the same as a preference. */
const wanted = 'sha-256=10, sha-512=5';

/** No digest of the field is of an algorithm that is computed here; the answer's Want field tells those that are. */
export class DigestUnsupported extends SluisError {
  override readonly name = 'DigestUnsupported';
  readonly code = 'SLUIS_UPLOAD_DIGEST_UNSUPPORTED';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;
  readonly headers: Readonly<Record<string, string>>;
  readonly field: DigestField;
  readonly algorithms: readonly string[];

  constructor(field: DigestField, keys: readonly string[]) {
    super(`${field}: sha-256 and sha-512 are verified here, and it has neither`);
    this.field = field;
    this.algorithms = keys;
    this.facts = { field };
    this.headers = { [`Want-${field}`]: wanted };
  }
}

/** A digest that no bytes can have: it is too short or too long for its algorithm. */
export class DigestInvalid extends SluisError {
  override readonly name = 'DigestInvalid';
  readonly code = 'SLUIS_UPLOAD_DIGEST_INVALID';
  readonly remedy = 'fix-request';
  override readonly facts: ErrorFacts;
  readonly field: DigestField;
  readonly algorithm: string;
  readonly reason: string;

  constructor(field: DigestField, algorithm: string, bytes: number) {
    const reason = `a digest of ${algorithm} has ${bytes} bytes`;
    super(`${field}: ${reason}`);
    this.field = field;
    this.algorithm = algorithm;
    this.reason = reason;
    this.facts = { field, algorithm };
  }
}

/**
 * The digest that a request tells, null when it tells none. Other algorithms beside ours are read over.
 *
 * Throws HeaderInvalid, DigestUnsupported and DigestInvalid: to ignore a digest (RFC 9530 would allow it) is
 * to say that bytes were checked which were not.
 */
export function readDigest(headers: RequestHeaders, field: DigestField): RepresentationDigest | null {
  const text = headers.get(field.toLowerCase());
  if (text === undefined) {
    return null;
  }
  const members = readByteDictionary(text);
  if (members === undefined || members.size === 0) {
    throw new HeaderInvalid(field, 'a dictionary of digests, such as sha-256=:BASE64: (RFC 9530)');
  }
  for (const [algorithm, name] of algorithms) {
    const value = members.get(algorithm);
    if (value !== undefined) {
      if (value.byteLength !== checksumBytes[name]) {
        throw new DigestInvalid(field, algorithm, checksumBytes[name]);
      }
      return { algorithm, value };
    }
  }
  throw new DigestUnsupported(field, [...members.keys()]);
}

/** A Content-Digest as the checksum of a body. */
export function checksumOf({ algorithm, value }: RepresentationDigest): Checksum {
  return { algorithm: algorithm === 'sha-256' ? 'sha256' : 'sha512', value };
}

/** As a digest field tells it. */
export function digestText({ algorithm, value }: RepresentationDigest): string {
  return `${algorithm}=${byteSequenceOf(value)}`;
}
