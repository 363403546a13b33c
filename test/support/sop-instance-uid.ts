/** A UID's characters, and the padding behind it (PS3.5 section 9.1). */
const UID = /^[0-9][0-9.]{0,63}[\0 ]?$/;
const UID_BYTES_MAX = 64;

/** (0008,0018) SOP Instance UID, and (0002,0003) of the file meta for datasets that are deflated. */
const IN_DATASET = Uint8Array.of(0x08, 0x00, 0x18, 0x00);
const IN_DATASET_BIG_ENDIAN = Uint8Array.of(0x00, 0x08, 0x00, 0x18);
const IN_FILE_META = Uint8Array.of(0x02, 0x00, 0x03, 0x00);

/**
 * The SOP Instance UID in the first bytes of a Part 10 file: the first place that has the element's tag
 * and a plausible UID behind it. Finds it in every encoding without knowing which one it is. With
 * `whole` the bytes are all there will be, and the file meta's copy counts too.
 */
export function findSopInstanceUid(head: Buffer, whole: boolean): string | undefined {
  return (
    search(head, IN_DATASET, 'little') ??
    search(head, IN_DATASET_BIG_ENDIAN, 'big') ??
    (whole ? search(head, IN_FILE_META, 'little') : undefined)
  );
}

function search(head: Buffer, tag: Uint8Array, order: 'little' | 'big'): string | undefined {
  for (let at = head.indexOf(tag); at >= 0; at = head.indexOf(tag, at + 1)) {
    const length = valueLength(head, at, order);
    if (length === undefined || length > UID_BYTES_MAX || at + 8 + length > head.byteLength) continue;
    const value = head.toString('latin1', at + 8, at + 8 + length);
    if (UID.test(value)) return value.replace(/[\0 ]$/, '');
  }
  return undefined;
}

/** Behind the tag: `UI` and 16 bits, or 32 bits when the VR is implicit. Undefined when cut off. */
function valueLength(head: Buffer, at: number, order: 'little' | 'big'): number | undefined {
  if (at + 8 > head.byteLength) return undefined;
  if (head.toString('latin1', at + 4, at + 6) !== 'UI') return head.readUInt32LE(at + 4);
  return order === 'little' ? head.readUInt16LE(at + 6) : head.readUInt16BE(at + 6);
}
