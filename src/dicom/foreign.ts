/** A top-level element inside of which another person is named. Offsets only, never a value. */
export interface ForeignElement {
  readonly tag: number;
  /** Offset of the element's first byte in the instance. */
  readonly at: number;
  /** Of the whole element: header, value and delimiter. */
  readonly bytes: number;
}
