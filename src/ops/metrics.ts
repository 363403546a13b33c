import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { GAUGE_READ_MS_MAX } from './limits.ts';
import {
  type CounterMetric,
  counter,
  type GaugeMetric,
  type HistogramMetric,
  type Metric,
} from './metric.ts';

/**
 * The one place that knows the Prometheus library: domains declare with ops/metric.ts, and their plain
 * numbers are copied here when somebody scrapes, so that counting costs an addition.
 */
export class Metrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #gaps = counter({
    name: 'sluis_metrics_gaps_total',
    help: 'gauges that could not be read, or not in time, and were left out',
  });
  #scrape: Promise<string> | undefined;

  constructor(build: { readonly version: string; readonly commit: string }) {
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry });
    // prom-client names some gauges like counters (nodejs_active_handles_total); promtool refuses them.
    for (const metric of this.#registry.getMetricsAsArray()) {
      if (metric instanceof Gauge && nameOf(metric).endsWith('_total'))
        this.#registry.removeSingleMetric(nameOf(metric));
    }
    new Gauge({
      name: 'sluis_build_info',
      help: 'always 1; which program this is',
      labelNames: ['version', 'commit', 'node'],
      registers: [this.#registry],
    }).set({ ...build, node: process.versions.node }, 1);
    this.register([this.#gaps]);
  }

  /** Throws when a name is taken: two domains never share one. */
  register(metrics: readonly Metric[]): void {
    for (const metric of metrics) {
      if (metric.kind === 'counter') this.#counter(metric);
      else if (metric.kind === 'gauge') this.#gauge(metric);
      else this.#registry.registerMetric(new CopiedHistogram(metric));
    }
  }

  /** The text format, version 0.0.4. Scrapes at the same time share one reading. */
  text(): Promise<string> {
    this.#scrape ??= this.#registry.metrics().finally(() => {
      this.#scrape = undefined;
    });
    return this.#scrape;
  }

  #counter({ name, help, labelNames, samples }: CounterMetric): void {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { labels, value } of samples()) this.inc(labels, value);
      },
    });
  }

  #gauge({ name, help, labelNames, read }: GaugeMetric): void {
    const gaps = this.#gaps;
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      async collect() {
        this.reset();
        // Without labels, reset() would leave a 0 that nobody measured.
        this.remove({});
        try {
          for (const { labels, value } of await inTime(read())) this.set(labels, value);
        } catch {
          gaps.add(1);
        }
      },
    });
  }
}

const nameOf = (metric: object): string => ('name' in metric ? String(metric.name) : '');

/** A disk that hangs must not take the whole scrape with it. */
async function inTime<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('not read in time')), GAUGE_READ_MS_MAX);
    timer.unref();
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** prom-client has no way to set a histogram's buckets, so this one is rendered from ours. */
class CopiedHistogram extends Histogram {
  readonly #metric: HistogramMetric;

  constructor(metric: HistogramMetric) {
    const { name, help, labelNames, bounds } = metric;
    super({ name, help, labelNames: [...labelNames], buckets: [...bounds], registers: [] });
    this.#metric = metric;
  }

  /** What the registry asks for, rather than Histogram's own empty buckets; the typings leave it out. */
  getForPromString() {
    const { name, help, bounds, distributions } = this.#metric;
    const values = distributions().flatMap(({ labels, counts, sum }) => {
      let cumulated = 0;
      const buckets = counts.map((count, at) => {
        cumulated += count;
        return {
          metricName: `${name}_bucket`,
          labels: { ...labels, le: String(bounds[at] ?? '+Inf') },
          value: cumulated,
        };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: cumulated },
      ];
    });
    return Promise.resolve({ name, help, type: 'histogram', values });
  }
}
