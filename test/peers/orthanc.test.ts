import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareOutsidePatch } from '../support/compare.ts';
import { type Orthanc, orthancMissing, startOrthanc } from '../support/orthanc.ts';
import { openRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';
import { generateStudy } from '../support/study/study.ts';

let orthanc: Orthanc;
let proxy: RecordingProxy;

beforeAll(async () => {
  expect(orthancMissing()).toBeUndefined();
  orthanc = await startOrthanc();
  proxy = await openRecordingProxy({ target: { host: '127.0.0.1', port: orthanc.httpPort } });
});

afterAll(async () => {
  await proxy?.close();
  await orthanc?.stop();
});

describe('an Orthanc behind a recording proxy', () => {
  const study = [...generateStudy({ modality: 'CT', instances: 3, bytesPerInstance: 20_000, seed: 11 })];
  const uids = study.map((instance) => instance.sopInstanceUid);

  it('stores what is sent byte for byte, and its answer is understood', async () => {
    const parts = study.flatMap(({ bytes }) => [
      Buffer.from('--xyz\r\nContent-Type: application/dicom\r\n\r\n'),
      bytes,
      Buffer.from('\r\n'),
    ]);
    const answer = await fetch(`${proxy.url}/dicom-web/studies`, {
      method: 'POST',
      headers: {
        'content-type': 'multipart/related; type="application/dicom"; boundary=xyz',
        accept: 'application/dicom+json',
      },
      body: Uint8Array.from(Buffer.concat([...parts, Buffer.from('--xyz--')])),
    });
    expect(answer.status).toBe(200);
    await answer.text();
    expect(proxy.stows[0]).toMatchObject({ status: 200, sopInstanceUids: uids, answered: true });
    expect([...(proxy.stows[0]?.responseReferenced ?? [])].sort()).toEqual(uids.toSorted());

    const stored = await orthanc.instances();
    expect(stored.map((instance) => instance.sopInstanceUid).sort()).toEqual(uids.toSorted());
    for (const { orthancId, sopInstanceUid } of stored) {
      const source = study.find((instance) => instance.sopInstanceUid === sopInstanceUid);
      const found = compareOutsidePatch(source?.bytes ?? Buffer.alloc(0), await orthanc.file(orthancId));
      expect(found).toMatchObject({ equal: true, insertedBytes: 0 });
    }
  });
});
