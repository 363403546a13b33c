import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from './child.ts';
import { freePorts } from './ports.ts';
import { openTempFolder } from './temp-folder.ts';

const PLUGIN = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
/** Debian puts it into /usr/sbin, which is not in everybody's PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
const READY_MS = 20_000;
const POLL_MS = 50;
/** Writing its index out took up to 3 s. */
const STOP_MS = 15_000;
const PAGE = 500;

export interface OrthancInstance {
  readonly sopInstanceUid: string;
  /** Orthanc's own name for it: a hash of patient, study, series and instance. */
  readonly orthancId: string;
}

/** A PACS of somebody else's making. Its folder is gone after `stop`. */
export interface Orthanc {
  readonly httpUrl: string;
  /** Where STOW-RS, QIDO-RS and WADO-RS live, without a slash at the end. */
  readonly dicomWebUrl: string;
  readonly httpPort: number;
  readonly dicomPort: number;
  /** Called AE title of its DIMSE side. */
  readonly aeTitle: string;
  readonly pid: number;
  instances(): Promise<OrthancInstance[]>;
  /** The stored file, byte for byte what was sent when it came by STOW-RS. */
  file(orthancId: string): Promise<Uint8Array>;
  /** SIGTERM, then waits until the process is gone. */
  stop(): Promise<void>;
}

export interface OrthancOptions {
  /** The AE title that may store by DIMSE from this machine; `SLUIS` when left out. */
  readonly callingAeTitle?: string;
}

/** Why Orthanc cannot be started here, as a sentence with the remedy; undefined when it can. */
export function orthancMissing(): string | undefined {
  if (orthancPath() === undefined) return 'Orthanc is not installed: apt-get install orthanc';
  if (!existsSync(PLUGIN)) return 'Orthanc has no DICOMweb plugin: apt-get install orthanc-dicomweb';
  return undefined;
}

/** Starts an empty Orthanc on free ports and waits until it answers. Throws with its last lines when it does not. */
export async function startOrthanc(options: OrthancOptions = {}): Promise<Orthanc> {
  const path = orthancPath();
  const missing = orthancMissing();
  if (path === undefined || missing !== undefined) throw new Error(missing);
  const folder = await openTempFolder('orthanc');
  const [httpPort, dicomPort] = await freePorts(2);
  if (httpPort === undefined || dicomPort === undefined) throw new Error('no free port');
  await mkdir(folder.file('db'));
  const config = configuration(folder.file('db'), httpPort, dicomPort, options.callingAeTitle ?? 'SLUIS');
  await writeFile(folder.file('orthanc.json'), JSON.stringify(config));
  // DCMTK leaves Nagle on unless this says otherwise: 45 ms lost per instance on the DIMSE side.
  const env = { ...process.env, TCP_NODELAY: '1' };
  const child = await startChild(path, [folder.file('orthanc.json')], { cwd: folder.path, env });
  const httpUrl = `http://127.0.0.1:${httpPort.toString()}`;
  const stop = async (): Promise<void> => {
    await child.stop(STOP_MS);
    await folder.remove();
  };
  try {
    await ready(child, httpUrl);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    httpUrl,
    dicomWebUrl: `${httpUrl}/dicom-web`,
    httpPort,
    dicomPort,
    aeTitle: 'ORTHANC',
    pid: child.pid,
    instances: () => listInstances(httpUrl),
    file: async (orthancId) =>
      new Uint8Array(await (await get(`${httpUrl}/instances/${orthancId}/file`)).arrayBuffer()),
    stop,
  };
}

function orthancPath(): string | undefined {
  return FOLDERS.map((folder) => join(folder, 'Orthanc')).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Orthanc binds all addresses and cannot be told otherwise. It answers only loopback over HTTP
 * (RemoteAccessAllowed), and only the one known modality over DIMSE.
 */
function configuration(storage: string, httpPort: number, dicomPort: number, callingAeTitle: string): object {
  return {
    Name: 'RECEIVER',
    StorageDirectory: storage,
    IndexDirectory: storage,
    StorageCompression: false,
    Plugins: [PLUGIN],
    HttpServerEnabled: true,
    HttpPort: httpPort,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    HttpThreadsCount: 8,
    KeepAlive: true,
    TcpNoDelay: true,
    HttpRequestTimeout: 60,
    DicomServerEnabled: true,
    DicomAet: 'ORTHANC',
    DicomPort: dicomPort,
    DicomCheckCalledAet: true,
    DicomCheckModalityHost: true,
    DicomAlwaysAllowEcho: false,
    DicomAlwaysAllowStore: false,
    UnknownSopClassAccepted: true,
    DicomModalities: { sender: [callingAeTitle, '127.0.0.1', 11_112] },
    OverwriteInstances: true,
    StoreMD5ForAttachments: true,
    SaveJobs: false,
    DicomWeb: { Enable: true, Root: '/dicom-web/', EnableWado: true, WadoRoot: '/wado' },
  };
}

async function ready(child: Child, httpUrl: string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (child.running && performance.now() < deadline) {
    try {
      await get(`${httpUrl}/dicom-web/studies?limit=1`);
      return;
    } catch {
      await sleep(POLL_MS);
    }
  }
  throw new Error(`Orthanc did not become ready\n${child.stderr.slice(-20).join('\n')}`);
}

async function listInstances(httpUrl: string): Promise<OrthancInstance[]> {
  const found: OrthancInstance[] = [];
  for (;;) {
    const page = await get(
      `${httpUrl}/instances?expand&since=${found.length.toString()}&limit=${PAGE.toString()}`,
    );
    // Orthanc's REST API, GET /instances?expand
    const entries = (await page.json()) as { ID: string; MainDicomTags: { SOPInstanceUID: string } }[];
    for (const { ID, MainDicomTags } of entries) {
      found.push({ orthancId: ID, sopInstanceUid: MainDicomTags.SOPInstanceUID });
    }
    if (entries.length < PAGE) return found;
  }
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url, { headers: { accept: '*/*' } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status.toString()}`);
  return answer;
}
