import {
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyRing } from '../../src/access/key-ring.ts';
import { Fatal } from '../../src/ops/error.ts';
import { State } from '../../src/state/state.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const bsn = '999990019';

describe('the key ring', () => {
  let folder: TempFolder;
  let path: string;

  beforeEach(async () => {
    folder = await openTempFolder('sluis-keys');
    path = folder.file('sluis.key');
  });
  afterEach(() => folder.remove());

  it('makes a key file that only its owner can read, once', () => {
    KeyRing.open(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const made = readFileSync(path, 'utf8');
    KeyRing.open(path);
    expect(readFileSync(path, 'utf8')).toBe(made);
  });

  it.each([0o640, 0o604, 0o660, 0o644])('refuses a key file of mode %o', (mode) => {
    KeyRing.open(path);
    chmodSync(path, mode);
    expect(() => KeyRing.open(path)).toThrow(Fatal);
    expect(() => KeyRing.open(path)).toThrow('chmod 600');
  });

  it.each(['', 'sluis-key-1 short\n', 'something else\n', `${'A'.repeat(43)}\n`])(
    'refuses a file that is none of its own: %j',
    (text) => {
      writeFileSync(path, text, { mode: 0o600 });
      expect(() => KeyRing.open(path)).toThrow('not a key file');
    },
  );

  it('is not stopped by a key file that a power cut left unfinished', () => {
    writeFileSync(`${path}.new`, 'sluis-ke', { mode: 0o600 });
    const made = KeyRing.open(path);
    expect(KeyRing.open(path).mac('bsn', bsn)).toBe(made.mac('bsn', bsn));
  });

  it('opens what it sealed, also in another process of the same file', () => {
    const sealed = KeyRing.open(path).seal('bsn', bsn);
    expect(KeyRing.open(path).unseal('bsn', sealed).toString()).toBe(bsn);
    expect(Buffer.from(sealed).includes(bsn)).toBe(false);
  });

  it('seals the same text differently each time, so that equal ones are not seen', () => {
    const ring = KeyRing.open(path);
    expect(Buffer.compare(ring.seal('bsn', bsn), ring.seal('bsn', bsn))).not.toBe(0);
  });

  it('does not open a value for another purpose than it was sealed for', () => {
    const ring = KeyRing.open(path);
    expect(() => ring.unseal('transfer-details', ring.seal('bsn', bsn))).toThrow();
  });

  it('finds every changed byte', () => {
    const ring = KeyRing.open(path);
    const sealed = ring.seal('bsn', bsn);
    for (let at = 0; at < sealed.byteLength; at++) {
      const changed = Uint8Array.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => ring.unseal('bsn', changed), `byte ${at}`).toThrow();
    }
    for (const length of [0, 1, 28, sealed.byteLength - 1]) {
      expect(() => ring.unseal('bsn', sealed.subarray(0, length))).toThrow();
    }
  });

  it('opens nothing with another key file', () => {
    const other = KeyRing.open(folder.file('other.key'));
    const sealed = KeyRing.open(path).seal('bsn', bsn);
    expect(() => other.unseal('bsn', sealed)).toThrow();
  });

  it('looks values up by key and purpose, and never by the text itself', () => {
    const ring = KeyRing.open(path);
    const other = KeyRing.open(folder.file('other.key'));
    expect(ring.mac('bsn', bsn)).toMatch(/^[0-9a-f]{64}$/);
    expect(ring.mac('bsn', bsn)).toBe(ring.mac('bsn', bsn));
    expect(ring.mac('patient', bsn)).not.toBe(ring.mac('bsn', bsn));
    expect(other.mac('bsn', bsn)).not.toBe(ring.mac('bsn', bsn));
  });

  it('refuses records that were made with another key file', async () => {
    const state = await State.open(folder.file('state'));
    try {
      await KeyRing.of(path, state);
      await KeyRing.of(path, state);
      rmSync(path);
      KeyRing.open(path);
      await expect(KeyRing.of(path, state)).rejects.toThrow('put that one back');
    } finally {
      await state.close();
    }
  });

  it('never makes a new key file where something was sealed with the one that is missing', async () => {
    const state = await State.open(folder.file('state'));
    try {
      await KeyRing.of(path, state);
      renameSync(path, folder.file('elsewhere'));
      await expect(KeyRing.of(path, state)).rejects.toThrow('is missing');
      expect(existsSync(path)).toBe(false);
      // A link into a disk that is not mounted now.
      symlinkSync(folder.file('unmounted'), path);
      await expect(KeyRing.of(path, state)).rejects.toThrow('cannot read the key file');
      renameSync(folder.file('elsewhere'), folder.file('unmounted'));
      await KeyRing.of(path, state);
    } finally {
      await state.close();
    }
  });
});
