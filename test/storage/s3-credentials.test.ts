import { chmodSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { credentialsOf } from '../../src/storage/s3-options.ts';
import { openTempFolder, type TempFolder } from '../support/temp-folder.ts';

const secret = { accessKeyId: 'an-access-key', secretAccessKey: 'a-secret-that-nobody-sees' };
let folder: TempFolder;
let file: string;

beforeAll(async () => {
  folder = await openTempFolder('s3-credentials');
  file = folder.file('s3.json');
});
afterAll(() => folder.remove());

function write(text: string, mode: number): void {
  writeFileSync(file, text);
  chmodSync(file, mode);
}

it('are read from a file that nobody else can read, and from no other', async () => {
  write(JSON.stringify(secret), 0o600);
  expect(await credentialsOf(file)).toEqual(secret);
  for (const mode of [0o640, 0o604]) {
    write(JSON.stringify(secret), mode);
    await expect(credentialsOf(file)).rejects.toThrow(`(mode ${mode.toString(8)}): chmod 600 it`);
  }
});

it('are never shown, whatever is wrong with their file', async () => {
  for (const text of [`{"accessKeyId": "${secret.secretAccessKey}"`, JSON.stringify([secret])]) {
    write(text, 0o600);
    const failure: unknown = await credentialsOf(file).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(String(failure)).not.toContain(secret.secretAccessKey);
  }
});

it('come from the environment when there is no file, or it is said what is missing', async () => {
  const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  expect(await credentialsOf(null, env)).toMatchObject({ accessKeyId: 'a', secretAccessKey: 'b' });
  await expect(credentialsOf(null, {})).rejects.toThrow('storage.s3.credentialsFile');
});
