export type PackageFaultCode =
  /** The upload is over and the package is not. */
  | 'TRUNCATED'
  /** The bytes contradict RFC 2046 or what they announced. */
  | 'MALFORMED'
  /** No format that is taken here, or not yet. */
  | 'UNSUPPORTED'
  /** A part, its headers, or their number is over a limit. */
  | 'TOO_LARGE'
  /** There is nothing in it. */
  | 'EMPTY';

/** Why a package cannot be walked any further. Plain data; holds no byte of the package. */
export interface PackageFault {
  readonly code: PackageFaultCode;
  /** Byte of the package at which it went wrong. */
  readonly offset: number;
  /** A sentence for a person. */
  readonly reason: string;
}

/** Thrown inside a walk only; `nextParts` turns it into the state `broken`. */
export class PackageBroken extends Error {
  override readonly name = 'PackageBroken';
  readonly fault: PackageFault;

  constructor(code: PackageFaultCode, offset: number, reason: string) {
    super(reason);
    this.fault = { code, offset, reason };
  }
}
