import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { deliveryMetrics } from '../delivery/metrics.ts';
import { ListenFailed } from '../http/errors.ts';
import { httpMetrics } from '../http/metrics.ts';
import { type Exchange, startExchange } from '../main.ts';
import type { Config } from '../ops/config.ts';
import { loadConfig } from '../ops/config-file.ts';
import { asError, Fatal } from '../ops/error.ts';
import { type Log, openLog } from '../ops/log.ts';
import { Metrics } from '../ops/metrics.ts';
import { OpsServer } from '../ops/ops-server.ts';
import { portUser } from '../ops/port-user.ts';
import { programVersion } from '../ops/version.ts';
import { storageMetrics } from '../storage/metrics.ts';
import { transferMetrics } from '../transfer/metrics.ts';
import { uploadMetrics } from '../upload/metrics.ts';
import { demoIsDone, demoIsDue, demoVariables, seedDemoNetwork } from './demo-network.ts';
import { InputRefused, UsageError } from './errors.ts';
import { parseOptions } from './options.ts';

export const usage = `sluis serve [--config FILE] [--port N] [--ops-port N] [--data DIR]

Runs the exchange until it gets SIGTERM or SIGINT (Ctrl-C).
  --config FILE    configuration (JSON); sluis config table lists what can be set
  --port N         TCP port of the API (8080); 0 takes a free one
  --ops-port N     TCP port of metrics and health (9090); 0 takes a free one
  --data DIR       folder of everything that is kept (data)
  --demo           with an empty data folder, no configuration, and on loopback only: makes a demo network and
                   sends a study across
  --no-demo        never does`;

const options = {
  config: { type: 'string' },
  port: { type: 'string' },
  'ops-port': { type: 'string' },
  data: { type: 'string' },
  demo: { type: 'boolean' },
  'no-demo': { type: 'boolean' },
} as const;

const portExitCode = 3;

/** What runs gets this long to end after the first signal: less than the 10 s after which a container is killed. */
const drainMs = 8_000;

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseOptions(options, args);
  if (positionals.length > 0) {
    throw new UsageError('serve takes flags only; npm wants -- before them: npm start -- --port 8081');
  }
  const asksForDemo = values.demo === true && values['no-demo'] !== true && values.config === undefined;
  const { config } = loadConfig({
    file: values.config,
    env: asksForDemo ? { ...demoVariables, ...process.env } : process.env,
    flags: { 'http.port': values.port, 'ops.port': values['ops-port'], 'data.folder': values.data },
  });
  const { folder } = config.data;
  makeFolder(folder);
  const log = openLog(config.log.level);
  const phase = { now: 'starting' };
  const metrics = metricsOf();
  const ops = new OpsServer({
    host: config.ops.host,
    port: config.ops.port,
    metrics,
    ready: () => ({ ready: phase.now === 'ready', parts: { exchange: phase.now } }),
    log,
  });
  const stop = signalled();
  await havingPort(config, 'ops', () => ops.start());
  let exchange: Exchange | undefined;
  try {
    const isDemoDue = demoIsDue(folder, asksForDemo && loopback.has(config.http.host));
    exchange = await havingPort(config, 'http', () => startExchange(config, log));
    metrics.register([...exchange.metrics]);
    phase.now = 'ready';
    const server = greet(config, exchange, ops.port);
    if (isDemoDue) await showDemo(folder, server, exchange, stop);
    if (!stop.aborted) {
      say('Ctrl-C stops it.');
      await once(stop, 'abort');
    }
    phase.now = 'draining';
    return 0;
  } finally {
    await stopAll(exchange, ops, log);
  }
}

/** Says where it serves; resolves with that address. */
function greet(config: Config, { listener }: Exchange, opsPort: number): string {
  const host = config.http.host.includes(':') ? `[${config.http.host}]` : config.http.host;
  const server = `http://${host}:${listener.port.toString()}`;
  say(
    `Sluis ${programVersion()} serves ${server} (${listener.kind}); metrics and health on port ${opsPort.toString()}`,
  );
  return server;
}

/** Whatever goes wrong in it, the exchange goes on; it is done again at the next start until it arrived. */
async function showDemo(
  folder: string,
  server: string,
  { state, addressBook }: Exchange,
  stop: AbortSignal,
): Promise<void> {
  try {
    await seedDemoNetwork(folder, state, addressBook);
    // Loaded only here: the demo's generator is not part of a production image.
    const { demoCommands, receivedFolder, sendDemoStudy } = await import('./demo.ts');
    if (await sendDemoStudy(folder, server, stop)) {
      demoIsDone(folder);
      say(`A demo study went from Ziekenhuis Vecht to UMC De Linde: it is in ${receivedFolder(folder)}`);
    } else if (!stop.aborted) {
      say('The demo study did not arrive; the lines above say why');
    }
    if (stop.aborted) return;
    say(
      `The demo network's keys are in ${join(folder, 'demo', 'credentials.json')}. Next, in another terminal:`,
    );
    for (const command of demoCommands(folder, server)) {
      say(`  ${command}`);
    }
  } catch (thrown) {
    if (!stop.aborted) say(`The demo study did not arrive: ${asError(thrown).message}`);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    const error: NodeJS.ErrnoException = asError(thrown);
    const why =
      error.code === 'EEXIST' || error.code === 'ENOTDIR' ? 'it is no folder' : (error.code ?? error.message);
    throw new InputRefused(`the data folder ${folder} cannot be used: ${why}; give another with --data`, {
      cause: error,
    });
  }
}

async function stopAll(exchange: Exchange | undefined, ops: OpsServer, log: Log): Promise<void> {
  const deadline = AbortSignal.timeout(drainMs);
  await exchange?.stop(deadline);
  await ops.stop(deadline);
  log.info('exchange.stopped');
}

function metricsOf(): Metrics {
  const metrics = new Metrics({
    version: programVersion(),
    commit: process.env.SLUIS_COMMIT ?? 'unknown',
  });
  metrics.register([
    ...httpMetrics,
    ...uploadMetrics,
    ...storageMetrics,
    ...transferMetrics,
    ...deliveryMetrics,
  ]);
  return metrics;
}

/** The first signal aborts it; a second one ends the process at once. */
function signalled(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      process.exit(130);
    }
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return stop.signal;
}

/** A port that cannot be had ends the program; says who has it, where that can be seen, and what chooses another. */
async function havingPort<T>(config: Config, which: 'http' | 'ops', start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const isPort = error instanceof ListenFailed || (which === 'ops' && error instanceof Fatal);
    if (!isPort) throw error;
    const { host, port } = config[which];
    const user = portUser(port);
    if (user === undefined && error instanceof Fatal) throw error;
    const what =
      user === undefined
        ? `${error.message} Free it`
        : `port ${port.toString()} of ${host} is taken by ${user}: end it`;
    const flag = which === 'http' ? '--port' : '--ops-port';
    throw new Fatal(`${what}, or choose another with ${flag} N`, portExitCode, error);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
