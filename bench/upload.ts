/**
 * What do uploads cost, how fast are they, how much do they hold, and how does that grow? Peers: @tus/server,
 * tusd, dd, the AWS SDK, and uWebSockets.js that throws bodies away. `--part NAME` runs one part, `--quick` little.
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { asError } from '../src/ops/error.ts';
import { report } from './lib/report.ts';
import { disk } from './upload/disk.ts';
import { Findings } from './upload/findings.ts';
import { growth } from './upload/growth.ts';
import { known } from './upload/known.ts';
import { load } from './upload/load.ts';
import { s3 } from './upload/s3.ts';
import { quick, type Scale, whole } from './upload/scale.ts';
import { stream } from './upload/stream.ts';
import { takeover } from './upload/takeover.ts';

const parts: Readonly<Record<string, (found: Findings, scale: Scale) => Promise<void>>> = {
  stream,
  disk,
  load,
  growth,
  known,
  takeover,
  s3,
};
const names = Object.keys(parts);

const { values } = parseArgs({
  options: { part: { type: 'string' }, quick: { type: 'boolean' }, json: { type: 'string' } },
});
const chosen = values.part === undefined ? names : [values.part];
if (!chosen.every((name) => name in parts)) {
  console.error(`--part takes one of ${names.join(', ')}`);
  process.exit(2);
}

// Ends what was started, and takes its folders away.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const found = new Findings();
if (values.quick) found.note('--quick: far too little was sent for the figures to mean anything');
const [busy = 0] = loadavg();
if (busy > cpus().length / 2) {
  found.note(
    `the machine was busy when this began: a load of ${busy.toFixed(1)} on ${cpus().length.toString()} cores`,
  );
  console.error(found.notes.at(-1));
}
for (const name of chosen) {
  console.error(name);
  try {
    await parts[name]?.(found, values.quick ? quick : whole);
  } catch (error) {
    // The other parts have something to say all the same.
    console.error(error);
    found.note(`${name} broke off: ${asError(error).message.split('\n')[0] ?? ''}`);
    found.atLeast(`${name} ran to its end`, 0, 1);
  }
}
report('upload', found.results, found.bars, found.notes);
