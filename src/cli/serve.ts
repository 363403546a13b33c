import { join } from 'node:path';
import { deliveryMetrics } from '../delivery/metrics.ts';
import { ListenFailed } from '../http/errors.ts';
import { httpMetrics } from '../http/metrics.ts';
import { type Exchange, startExchange } from '../main.ts';
import type { Config } from '../ops/config.ts';
import { loadConfig } from '../ops/config-file.ts';
import { Fatal } from '../ops/error.ts';
import { type Log, openLog } from '../ops/log.ts';
import { Metrics } from '../ops/metrics.ts';
import { OpsServer } from '../ops/ops-server.ts';
import { portUser } from '../ops/port-user.ts';
import { programVersion } from '../ops/version.ts';
import { transferMetrics } from '../transfer/metrics.ts';
import { uploadMetrics } from '../upload/metrics.ts';
import { isEmptyFolder, seedDemoNetwork } from './demo-network.ts';
import { parseOptions } from './options.ts';

export const usage = `sluis serve [--config FILE] [--port N] [--ops-port N] [--data DIR]

Runs the exchange until it gets SIGTERM or SIGINT (Ctrl-C).
  --config FILE    configuration (JSON); sluis config table lists what can be set
  --port N         TCP port of the API (8080); 0 takes a free one
  --ops-port N     TCP port of metrics and health (9090); 0 takes a free one
  --data DIR       folder of everything that is kept (data)
  --demo           with an empty data folder, no configuration, and on loopback only: makes a demo network
  --no-demo        never does`;

const options = {
  config: { type: 'string' },
  port: { type: 'string' },
  'ops-port': { type: 'string' },
  data: { type: 'string' },
  demo: { type: 'boolean' },
  'no-demo': { type: 'boolean' },
} as const;

/** What runs gets this long to end after the first signal. */
const drainMs = 10_000;

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

export async function run(args: string[]): Promise<number> {
  const { values } = parseOptions(options, args);
  const { config } = loadConfig({
    file: values.config,
    env: process.env,
    flags: { 'http.port': values.port, 'ops.port': values['ops-port'], 'data.folder': values.data },
  });
  const isDemo = values.demo === true && values['no-demo'] !== true && values.config === undefined;
  const seedsDemo = isDemo && loopback.has(config.http.host) && isEmptyFolder(config.data.folder);
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
  const stopped = signalled();
  await portTaken(config, 'ops', () => ops.start());
  let exchange: Exchange | undefined;
  try {
    if (seedsDemo) {
      await seedDemoNetwork(config.data.folder);
    }
    exchange = await portTaken(config, 'http', () => startExchange(config, log));
    metrics.register([...exchange.metrics]);
    phase.now = 'ready';
    await greet(config, exchange, ops.port, seedsDemo);
    await stopped;
    phase.now = 'draining';
    return 0;
  } finally {
    await stopAll(exchange, ops, log);
  }
}

async function greet(
  config: Config,
  { listener }: Exchange,
  opsPort: number,
  seedsDemo: boolean,
): Promise<void> {
  const host = config.http.host.includes(':') ? `[${config.http.host}]` : config.http.host;
  const server = `http://${host}:${listener.port.toString()}`;
  const { folder } = config.data;
  say(
    `Sluis ${programVersion()} serves ${server} (${listener.kind}); metrics and health on port ${opsPort.toString()}`,
  );
  if (seedsDemo) {
    // Loaded only here: the demo's generator is not part of a production image.
    const { demoCommands, sendDemoStudy } = await import('./demo.ts');
    const arrived = await sendDemoStudy(folder, server);
    say(
      arrived
        ? `A demo study went from Ziekenhuis Vecht to UMC De Linde: it is in ${join(folder, 'demo', 'received')}`
        : 'The demo study did not arrive; the lines above say why',
    );
    say(
      `The demo network's keys are in ${join(folder, 'demo', 'credentials.json')}. Next, in another terminal:`,
    );
    for (const command of demoCommands(folder, server)) {
      say(`  ${command}`);
    }
  }
  say('Ctrl-C stops it.');
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
  metrics.register([...httpMetrics, ...uploadMetrics, ...transferMetrics, ...deliveryMetrics]);
  return metrics;
}

/** The first signal resolves it; a second one ends the process at once. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (): void => {
      signals++;
      if (signals > 1) {
        process.exit(130);
      }
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

/** Says who has the port and which flag chooses another. */
async function portTaken<T>(config: Config, which: 'http' | 'ops', start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const { host, port } = config[which];
    const user =
      error instanceof ListenFailed || (which === 'ops' && error instanceof Fatal)
        ? portUser(port)
        : undefined;
    if (user === undefined) {
      throw error;
    }
    const flag = which === 'http' ? '--port' : '--ops-port';
    throw new Fatal(
      `port ${port.toString()} of ${host} is taken by ${user}: end it, or choose another with ${flag} N`,
      3,
      error,
    );
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
