import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { asError, Fatal } from '../ops/error.ts';
import { keys } from '../state/keys.ts';
import type { Sealed } from '../state/records.ts';
import type { State } from '../state/state.ts';

const prefix = 'sluis-key-1 ';
const version = 1;
const ivBytes = 12;
const tagBytes = 16;

/** What a sealed value is of; a value sealed for one purpose does not open for another. */
export type SealPurpose = 'upload-metadata' | 'transfer-details' | 'bsn' | 'entry-name';

/** What a look-up value is of; equal texts have different look-ups for different purposes. */
export type MacPurpose = 'patient' | 'demographics' | 'bsn' | 'idempotency' | 'key-check';

/**
 * The exchange's key file and what is derived from it: AES-256-GCM for what may name a person, HMAC-SHA-256
 * for what has to be found again without being readable.
 *
 * The file is the one thing a backup of the records must not lie beside.
 */
export class KeyRing {
  readonly #sealKey: Buffer;
  readonly #macKey: Buffer;

  private constructor(secret: Buffer) {
    const derive = (use: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', `sluis ${use}`, 32));
    this.#sealKey = derive('seal');
    this.#macKey = derive('look-up');
  }

  /**
   * The key file of a data folder: made where nothing was sealed yet, and else the one that it was sealed
   * with. Throws Fatal when that is missing, is another one, or can be read by others.
   */
  static async of(path: string, state: State): Promise<KeyRing> {
    if (state.get(keys.meta, 'key-check') !== undefined && !isThere(path)) {
      throw new Fatal(`the key file ${path} is missing: put the one of this data folder back`, 6);
    }
    const ring = KeyRing.open(path);
    await ring.confirm(state);
    return ring;
  }

  /**
   * Reads the key file, or makes it (mode 0600) where there is none yet. Throws Fatal when others can
   * read it, or when it is not a key file.
   */
  static open(path: string): KeyRing {
    if (!isThere(path)) {
      makeKeyFile(path);
    }
    const text = readKeyFile(path);
    const secret = Buffer.from(text.slice(prefix.length), 'base64url');
    if (!text.startsWith(prefix) || secret.byteLength !== 32) {
      throw new Fatal(`${path} is not a key file of this program`, 6);
    }
    return new KeyRing(secret);
  }

  /**
   * Throws Fatal when the records in `state` were made with another key file: nothing that was sealed
   * could be opened.
   */
  async confirm(state: State): Promise<void> {
    const mine = this.mac('key-check', 'the key file of this data folder');
    const stored = await state.commit((tx) => {
      const known = tx.get(keys.meta, 'key-check');
      if (known === undefined) {
        tx.put(keys.meta, 'key-check', mine);
      }
      return known ?? mine;
    });
    if (stored !== mine) {
      throw new Fatal(
        'the key file is not the one that this data folder was made with: put that one back',
        6,
      );
    }
  }

  /** version (1 byte) | iv (12) | tag (16) | ciphertext; the purpose is authenticated with it. */
  seal(purpose: SealPurpose, plain: Uint8Array | string): Sealed {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, iv).setAAD(Buffer.from(purpose));
    const body = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), body]);
  }

  /** Throws when the value was changed, sealed under another key or for another purpose. */
  unseal(purpose: SealPurpose, sealed: Sealed): Buffer {
    if (sealed[0] !== version || sealed.byteLength < 1 + ivBytes + tagBytes) {
      throw new Error(`a sealed ${purpose} has an unknown form`);
    }
    const iv = sealed.subarray(1, 1 + ivBytes);
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, iv)
      .setAAD(Buffer.from(purpose))
      .setAuthTag(sealed.subarray(1 + ivBytes, 1 + ivBytes + tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(1 + ivBytes + tagBytes)), decipher.final()]);
  }

  /** Keyed look-up value, 64 hexadecimal digits. */
  mac(purpose: MacPurpose, text: string): string {
    return createHmac('sha256', this.#macKey).update(`${purpose}\0${text}`).digest('hex');
  }
}

/** Also for a link to a file that is not there now: its disk may not be mounted, and it must not be replaced. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function readKeyFile(path: string): string {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new Fatal(`others can read the key file ${path} (mode ${mode.toString(8)}): chmod 600 it`, 6);
    }
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Fatal) {
      throw error;
    }
    throw new Fatal(`cannot read the key file ${path}: ${asError(error).message}`, 6, error);
  }
}

/** Whole and with its name on the disk before a first value is sealed with it. */
function makeKeyFile(path: string): void {
  const unfinished = `${path}.new`;
  writeFileSync(unfinished, `${prefix}${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  sync(unfinished);
  renameSync(unfinished, path);
  sync(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
