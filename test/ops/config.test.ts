import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { DIALECTS } from '../../src/dicom/dialect.ts';
import { configSchema, reserveBytesOf } from '../../src/ops/config.ts';
import { ConfigInvalid } from '../../src/ops/config-error.ts';
import { loadConfig } from '../../src/ops/config-file.ts';
import { leaves, variableOf } from '../../src/ops/config-paths.ts';
import { configExample, configTable } from '../../src/ops/config-table.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluis-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const root = join(import.meta.dirname, '..', '..');
const file = join(folder, 'config.json');
function written(content: unknown): string {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

/** `path: message` of every problem; empty when there is none. */
function problems(sources: Partial<Parameters<typeof loadConfig>[0]>): string[] {
  try {
    loadConfig({ env: {}, ...sources });
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigInvalid)) throw thrown;
    return thrown.problems.map((problem) => `${problem.path}: ${problem.message}`);
  }
}

describe('configuration', () => {
  it('has the defaults without file, variable or flag', () => {
    const { config } = loadConfig({ env: {} });
    expect(config.http).toEqual({ host: '127.0.0.1', port: 8080, listener: 'auto', corsOrigins: [] });
    expect(config.storage.watermarks).toEqual({ bulk: 0.75, routine: 0.85, urgent: 0.92, acute: 0.97 });
    expect(config.transfer.transferBytesMax).toBe(200 * 1024 ** 3);
    expect(config.addressBook.organizations).toEqual([]);
  });

  it('lets flags win over variables, variables over the file, the file over the defaults', () => {
    const path = written({ version: 1, http: { port: 1 }, ops: { port: 2 }, log: { level: 'warn' } });
    const env = { SLUIS_HTTP_PORT: '11', SLUIS_OPS_PORT: '12', SLUIS_DATA_FOLDER: '' };
    const { config } = loadConfig({
      file: path,
      env,
      flags: { 'http.port': '21', 'data.folder': undefined },
    });
    expect([config.http.port, config.ops.port, config.log.level, config.data.folder]).toEqual([
      21,
      12,
      'warn',
      'data',
    ]);
  });

  it('names every problem of file and variables at once, with what was expected and who said it', () => {
    const path = written({ http: { prot: 1, port: 70_000 }, retry: { firstSeconds: 9, maxSeconds: 3 } });
    const env = {
      SLUIS_HTPP_PORT: '1',
      SLUIS_LOG_LEVEL: 'loud',
      SLUIS_WORK_THREADS: '1.5',
      SLUIS_TOKEN_FILE: 'x',
    };
    expect(problems({ file: path, env })).toEqual([
      'SLUIS_HTPP_PORT: is no variable of the configuration; did you mean SLUIS_HTTP_PORT?',
      'version: expected 1, the version of the configuration that this program reads',
      'http.port: expected number to be <=65535',
      'http.prot: is no value of the configuration; did you mean http.port?',
      'log.level: expected one of "debug"|"info"|"warn"|"error"|"silent"',
      'work.threads: expected int, received number',
      'retry.firstSeconds: expected no more than maxSeconds',
    ]);
    expect(() => loadConfig({ file: path, env })).toThrow(`  log.level (SLUIS_LOG_LEVEL): expected one of`);
  });

  it('says on which line a file stops being JSON, and what else is wrong with a file', () => {
    expect(problems({ file: written('{\n  "version": 1,\n  "http": {,}\n}') })).toEqual([
      ': expected JSON, which goes wrong at line 3, column 12',
    ]);
    expect(problems({ file: written('{"version":1,\n "a": tru }') })).toEqual([': expected JSON']);
    for (const cut of ['', '{"version":', '{"version":1', '{"version":1,\n "a": "b\n']) {
      expect(problems({ file: written(cut) }), cut).toEqual([': expected JSON, and the file ends too soon']);
    }
    expect(problems({ file: written('[1]') })).toEqual([': expected a JSON object']);
    expect(problems({ file: join(folder, 'none.json') })[0]).toMatch(/^: cannot be read: ENOENT/);
    expect(problems({ file: written('\uFEFF{"version":1}') })).toEqual([]);
  });

  it('refuses an address book in which ids come twice or a receiver cannot be reached', () => {
    const mailbox = (id: string, rest: object = {}) => ({ id, name: id, ...rest });
    const organization = (id: string, mailboxes: object[], rest: object = {}) => ({
      id,
      name: id,
      place: 'Ede',
      mailboxes,
      ...rest,
    });
    const stow = (url: string) => ({ receiving: { by: 'stow', url }, kind: 'decentral' });
    const organizations = [
      organization('a', [mailbox('m'), mailbox('n')], { ura: '1234' }),
      organization('a', [
        mailbox('m'),
        mailbox('p', stow('ftp://h')),
        mailbox('q', stow('http://u:secret@h/')),
      ]),
    ];
    const found = problems({ file: written({ version: 1, addressBook: { organizations } }) });
    expect(found).toContain('addressBook.organizations.0.ura: expected 8 digits with the leading zeros');
    expect(found.join()).toContain('1.mailboxes.1.receiving.url: expected an http or https address');
    expect(found.join()).toContain('1.mailboxes.2.receiving.url: expected no password in the address');
    expect(found.join()).not.toContain('secret');

    const twice = [organization('a', [mailbox('m'), mailbox('n')]), organization('a', [mailbox('m')])];
    expect(problems({ file: written({ version: 1, addressBook: { organizations: twice } }) })).toEqual([
      'addressBook.organizations.0.mailboxes.1.kind: expected decentral: the organization has a central mailbox already',
      'addressBook.organizations.1.id: expected an id that no other organization has',
      'addressBook.organizations.1.mailboxes.0.id: expected an id that no other mailbox has',
    ]);
  });

  it('does not let API and metrics share a port', () => {
    expect(problems({ env: { SLUIS_OPS_PORT: '8080' } })).toEqual([
      'ops.port: expected another port than http.port',
    ]);
    expect(problems({ env: { SLUIS_OPS_PORT: '0', SLUIS_HTTP_PORT: '0' } })).toEqual([]);
  });

  it('takes the origins of browsers exactly as they send them, and nothing that only looks like one', () => {
    const origins = (...corsOrigins: string[]) =>
      problems({ file: written({ version: 1, http: { corsOrigins } }) });
    expect(origins('https://viewer.example', 'http://127.0.0.1:8042', 'https://[::1]:8443')).toEqual([]);
    for (const wrong of [
      '*',
      'null',
      'viewer.example',
      'https://viewer.example/',
      'https://viewer.example:443',
      'https://Viewer.example',
      'https://*.example',
      'https://user@viewer.example',
      'ftp://viewer.example',
    ]) {
      expect(origins('https://a.example', wrong), wrong).toEqual([
        'http.corsOrigins.1: expected an origin such as https://viewer.example, without a path',
      ]);
    }
  });

  it('refuses an engine on a listener that it cannot run on', () => {
    const engine = 'tus-node-server';
    expect(problems({ env: { SLUIS_UPLOAD_ENGINE: engine, SLUIS_HTTP_LISTENER: 'uws' } })).toEqual([
      'http.listener: expected node-http or auto: upload.engine tus-node-server runs on no other',
    ]);
    for (const listener of ['auto', 'node-http']) {
      expect(problems({ env: { SLUIS_UPLOAD_ENGINE: engine, SLUIS_HTTP_LISTENER: listener } })).toEqual([]);
    }
  });

  it('lets no priority begin on an emptier disk than the one below it', () => {
    expect(
      problems({ env: { SLUIS_STORAGE_WATERMARKS_BULK: '0.9', SLUIS_STORAGE_WATERMARKS_ACUTE: '0.5' } }),
    ).toEqual([
      'storage.watermarks.routine: expected no less than bulk',
      'storage.watermarks.acute: expected no less than urgent',
    ]);
    expect(problems({ env: { SLUIS_STORAGE_WATERMARKS_BULK: '0.85' } })).toEqual([]);
    expect(problems({ env: { SLUIS_STORAGE_WATERMARKS_ACUTE: '1.1' } })).toEqual([
      'storage.watermarks.acute: expected number to be <=1',
    ]);
  });

  it('wants a bucket for S3, and no secret where the configuration can be read', () => {
    expect(problems({ env: { SLUIS_STORAGE_KIND: 's3' } })).toEqual([
      'storage.s3.bucket: expected a bucket: storage.kind is s3',
    ]);
    expect(problems({ env: { SLUIS_STORAGE_KIND: 's3', SLUIS_STORAGE_S3_BUCKET: 'sluis-bytes' } })).toEqual(
      [],
    );
    const found = problems({ env: { SLUIS_STORAGE_S3_ENDPOINT: 'http://key:secret@127.0.0.1:9000' } });
    expect(found).toEqual(['storage.s3.endpoint: expected no password in the address: use credentialsFile']);
  });

  it('does not let an unfinished upload live longer after its last byte than in all', () => {
    expect(problems({ env: { SLUIS_UPLOAD_EXPIRY_HOURS: '25', SLUIS_UPLOAD_EXPIRY_DAYS_MAX: '1' } })).toEqual(
      ['upload.expiryHours: expected no more than expiryDaysMax'],
    );
  });

  it('knows exactly the dialects that the program has', () => {
    const one = (dialect: string) => ({
      version: 1,
      addressBook: {
        organizations: [{ id: 'a', name: 'a', place: 'a', mailboxes: [{ id: 'm', name: 'm', dialect }] }],
      },
    });
    for (const { name } of DIALECTS) expect(problems({ file: written(one(name)) })).toEqual([]);
    expect(problems({ file: written(one('x')) })[0]).toContain(
      `expected one of ${DIALECTS.map(({ name }) => `"${name}"`).join('|')}`,
    );
  });

  it('keeps at most 5 % of a small disk back', () => {
    const { config } = loadConfig({ env: {} });
    expect(reserveBytesOf(config, 1000 * 1024 ** 3)).toBe(1024 ** 3);
    expect(reserveBytesOf(config, 1_000_000)).toBe(50_000);
  });

  it('gives every value a description and a variable of its own', () => {
    for (const leaf of leaves) expect(leaf.description, leaf.path).not.toBe('');
    const variables = leaves.map((leaf) => leaf.variable).filter((variable) => variable !== null);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variableOf('stow.answerSecondsPer10MiB')).toBe('SLUIS_STOW_ANSWER_SECONDS_PER_10_MIB');
    expect(variableOf('storage.s3.forcePathStyle')).toBe('SLUIS_STORAGE_S3_FORCE_PATH_STYLE');
    expect(variableOf('storage.reserveBytes')).toBe('SLUIS_STORAGE_RESERVE_BYTES');
  });

  it('sets each value by its variable', () => {
    for (const leaf of leaves) {
      if (leaf.variable === null || leaf.type !== 'number' || leaf.path === 'ops.port') continue;
      const { config } = loadConfig({ env: { [leaf.variable]: String(leaf.fallback) } });
      expect(config, leaf.path).toEqual(configSchema.parse({ version: 1 }));
    }
  });

  it('never throws anything but ConfigInvalid, whatever a file holds', () => {
    const seconds = Number(process.env.FUZZ_SECONDS ?? 2);
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (content) => {
        problems({ file: written(content) });
      }),
      { interruptAfterTimeLimit: seconds * 1000, numRuns: 100_000 },
    );
  });

  it('stands in config.example.json as the schema has it, and that file can be used', () => {
    const path = join(root, 'config.example.json');
    expect(readFileSync(path, 'utf8'), 'run: npm run docs').toBe(configExample());
    expect(problems({ file: path })).toEqual([]);
  });

  it("stands in README's table as the schema has it", () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const table = /<!-- config table -->\n([\s\S]*?)\n<!-- \/config table -->/.exec(readme)?.[1];
    expect(table?.trim(), 'run: npm run docs').toBe(configTable());
  });
});
