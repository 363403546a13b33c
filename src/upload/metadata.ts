import { isId } from '../state/ids.ts';
import { type Priority, priorities, type UploadRecord } from '../state/records.ts';
import { parseMediaType } from '../study/media-type.ts';
import { HeaderInvalid } from './errors.ts';
import { metadataCharactersMax, metadataValueCharactersMax, receiversMax } from './limits.ts';

/** The keys of Upload-Metadata that mean something here. All others are kept sealed and never read. */
export type UploadMetadata = Pick<UploadRecord, 'from' | 'to' | 'priority' | 'filetype' | 'transfer'>;

const header = 'Upload-Metadata';
/** Else a space of Unicode would pass for one of ours, and be kept as half of it. */
const textPattern = /^[\t\x20-\x7e]*$/;
const keyPattern = /^[\x21-\x2b\x2d-\x7e]+$/;
const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const mailboxPattern = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/;
/** Parameters that tell how a package is read (RFC 2387). Any other (`name=`) may be a file's name, and so a patient's. */
const mediaTypeParameters = ['type', 'boundary'] as const;

/**
 * Reads an Upload-Metadata header (tus 1.0.0, Creation): comma separated pairs of an ASCII key and a
 * Base64 value, which may be left out. An empty header is accepted: clients send one.
 *
 * Throws HeaderInvalid. Messages name the key that is wrong, never a value: it can hold a patient's name.
 */
export function parseMetadata(text: string): UploadMetadata {
  const values = parsePairs(text);
  return {
    from: known(values, 'from', mailbox),
    to: known(values, 'to', mailboxes) ?? [],
    priority: known(values, 'priority', priority),
    filetype: known(values, 'filetype', mediaType),
    transfer: known(values, 'transfer', transfer),
  };
}

/** Keys and their values, still in Base64. */
function parsePairs(text: string): Map<string, string> {
  if (text.length > metadataCharactersMax) {
    throw new HeaderInvalid(header, `at most ${metadataCharactersMax} characters`);
  }
  if (!textPattern.test(text)) {
    throw new HeaderInvalid(header, 'ASCII alone: other text goes into the Base64 of a value');
  }
  const values = new Map<string, string>();
  if (text.trim() === '') {
    return values;
  }
  for (const pair of text.split(',')) {
    const [key = '', value = '', ...more] = pair.trim().split(' ');
    if (!keyPattern.test(key) || more.length > 0 || !base64Pattern.test(value)) {
      throw new HeaderInvalid(
        header,
        'pairs of a key and a Base64 value, separated by one space, then commas',
      );
    }
    if (values.has(key)) {
      throw new HeaderInvalid(header, 'a key comes twice');
    }
    values.set(key, value);
  }
  return values;
}

/** The value of a key that we read; null when it is absent or empty. `read` gives undefined for a bad one. */
function known<V>(
  values: ReadonlyMap<string, string>,
  key: keyof UploadMetadata,
  read: (text: string) => V | undefined,
): V | null {
  const text = decode(values.get(key) ?? '');
  if (text === '') {
    return null;
  }
  const value = text === undefined ? undefined : read(text);
  if (value === undefined) {
    throw new HeaderInvalid(header, `the value of "${key}" is not allowed: ${rules[key]}`);
  }
  return value;
}

const rules: Readonly<Record<keyof UploadMetadata, string>> = {
  from: 'the id of one mailbox',
  to: `ids of 1 to ${receiversMax} different mailboxes, separated by commas`,
  priority: `one of ${priorities.join(', ')}`,
  filetype: 'a media type, for example application/dicom',
  transfer: 'the id of a transfer',
};

function decode(base64: string): string | undefined {
  if (base64.length > metadataValueCharactersMax * 2) {
    return undefined;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

function mailbox(text: string): string | undefined {
  return mailboxPattern.test(text) ? text : undefined;
}

function mailboxes(text: string): readonly string[] | undefined {
  const ids = text.split(',').map((id) => id.trim());
  const good =
    ids.length <= receiversMax && new Set(ids).size === ids.length && ids.every((id) => mailbox(id));
  return good ? ids : undefined;
}

function priority(text: string): Priority | undefined {
  return priorities.find((name) => name === text);
}

/** A media type as we keep it; undefined when the text is none. */
export function mediaType(text: string): string | undefined {
  const found = parseMediaType(text);
  if (found === undefined) {
    return undefined;
  }
  const kept = mediaTypeParameters.flatMap((name) => {
    const value = found.parameters.get(name);
    return value === undefined ? [] : [`; ${name}="${value.replace(/["\\]/g, '\\$&')}"`];
  });
  return found.type + kept.join('');
}

function transfer(text: string): string | undefined {
  return isId(text) ? text : undefined;
}
