import { beginWalk, nextParts } from '../../src/study/package.ts';
import { setAsideText } from '../../src/study/set-aside.ts';

/** What of an upload goes to no receiver, as an exchange names it. */
export async function setAsideOf(filetype: string, upload: Buffer): Promise<object[]> {
  const read = async (start: number, end: number) => upload.subarray(start, end);
  const { parts } = await nextParts(beginWalk(filetype), read, upload.byteLength, upload.byteLength);
  return parts.flatMap(({ why, entry, bytes }) =>
    why === null ? [] : [{ name: entry?.name, why, ...setAsideText[why], bytes: entry?.bytes ?? bytes }],
  );
}
