/**
 * How a domain declares what it counts, beside the code that moves it: plain numbers, no library.
 * ops/metrics.ts copies them when somebody scrapes.
 *
 *     export const refused = counter({
 *       name: 'sluis_upload_refusals_total',
 *       help: 'uploads refused',
 *       labels: { reason: ['space', 'limit'] },
 *     });
 *     refused.add(1, { reason: 'space' });
 *
 * Names have the unit last (base units: seconds, bytes), counters end in _total. Labels come from closed
 * lists written in the code, so every series is there from the start at 0 and their number is known;
 * never the id of anything.
 */

/** Label names and every value each can have. */
export type LabelLists = Readonly<Record<string, readonly string[]>>;
export type LabelValues<L extends LabelLists> = { readonly [name in keyof L]: L[name][number] };
/** What a call says after the number: nothing where there are no labels. */
export type Labelled<L extends LabelLists> = [keyof L] extends [never] ? [] : [LabelValues<L>];

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Distribution {
  readonly labels: Readonly<Record<string, string>>;
  /** Observations per bucket, not cumulated; the last one is what is above every bound. */
  readonly counts: readonly number[];
  readonly sum: number;
}

interface Described {
  readonly name: string;
  readonly help: string;
}

export interface CounterMetric extends Described {
  readonly kind: 'counter';
  readonly labelNames: readonly string[];
  readonly samples: () => Sample[];
}
export interface GaugeMetric extends Described {
  readonly kind: 'gauge';
  readonly labelNames: readonly string[];
  readonly read: () => Promise<Sample[]>;
}
export interface HistogramMetric extends Described {
  readonly kind: 'histogram';
  readonly labelNames: readonly string[];
  readonly bounds: readonly number[];
  readonly distributions: () => Distribution[];
}
export type Metric = CounterMetric | GaugeMetric | HistogramMetric;

/** More would be no closed list any more, and a dashboard's cost. */
const SERIES_MAX = 200;

const NAME = /^sluis(_[a-z0-9]+)+$/;

function checkName(name: string, counts: boolean): void {
  if (!NAME.test(name)) throw new RangeError(`${name} is no metric name: sluis_, lower case, underscores`);
  if (counts !== name.endsWith('_total')) {
    throw new RangeError(`${name}: counters, and only they, end in _total`);
  }
  if (/_(ms|millis|milliseconds|kb|mb|mib|gb|percent|minutes|hours)(_total)?$/.test(name)) {
    throw new RangeError(`${name} is not in a base unit: seconds, bytes, ratio`);
  }
}

/** Every combination of label values, each with its own plain cell. */
class Series<L extends LabelLists, C> {
  readonly labelNames: readonly string[];
  readonly #cells = new Map<string, { readonly labels: LabelValues<L>; readonly cell: C }>();

  constructor(name: string, lists: L | undefined, cell: () => C) {
    this.labelNames = Object.keys(lists ?? {});
    let combinations: Record<string, string>[] = [{}];
    for (const [label, values] of Object.entries(lists ?? {})) {
      combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [label]: value })));
    }
    if (combinations.length > SERIES_MAX) throw new RangeError(`${name} would have more than 200 series`);
    for (const labels of combinations) {
      // Made of every label and its own values just above.
      this.#cells.set(this.#key(labels), { labels: labels as LabelValues<L>, cell: cell() });
    }
  }

  at(labels: Readonly<Record<string, string>> | undefined): C {
    const found = this.#cells.get(this.#key(labels ?? {}));
    if (found === undefined) {
      throw new RangeError(`no series ${JSON.stringify(labels)}: labels are closed lists`);
    }
    return found.cell;
  }

  all(): readonly { readonly labels: LabelValues<L>; readonly cell: C }[] {
    return [...this.#cells.values()];
  }

  #key(labels: Readonly<Record<string, string>>): string {
    return this.labelNames.length === 0 ? '' : this.labelNames.map((name) => labels[name]).join('\n');
  }
}

export interface Counter<L extends LabelLists> extends CounterMetric {
  /** `by` is 0 or more: a counter never goes back. */
  add(by: number, ...labels: Labelled<L>): void;
}

/** Something that only grows, while the program runs. */
export function counter<const L extends LabelLists = Record<never, never>>(
  declared: Described & { readonly labels?: L },
): Counter<L> {
  const { name, help, labels } = declared;
  checkName(name, true);
  const series = new Series(name, labels, () => ({ value: 0 }));
  return {
    kind: 'counter',
    name,
    help,
    labelNames: series.labelNames,
    add: (by, ...at) => {
      if (!(by >= 0)) throw new RangeError(`${name} cannot grow by ${by.toString()}`);
      series.at(at[0]).value += by;
    },
    samples: () => series.all().map(({ labels, cell }) => ({ labels, value: cell.value })),
  };
}

/** A counter whose number another part keeps as a plain field that only grows. */
export function counted(declared: Described & { readonly read: () => number }): CounterMetric {
  const { name, help, read } = declared;
  checkName(name, true);
  return { kind: 'counter', name, help, labelNames: [], samples: () => [{ labels: {}, value: read() }] };
}

/** Something that goes up and down, read when somebody asks. A read that fails leaves a gap, nothing else. */
export function gauge<const L extends LabelLists = Record<never, never>>(
  declared: Described & {
    readonly labels?: L;
    readonly read: (labels: LabelValues<L>) => number | Promise<number>;
  },
): GaugeMetric {
  const { name, help, labels } = declared;
  checkName(name, false);
  const series = new Series<L, null>(name, labels, () => null);
  const sample = async (at: LabelValues<L>) => ({ labels: at, value: await declared.read(at) });
  return {
    kind: 'gauge',
    name,
    help,
    labelNames: series.labelNames,
    read: () => Promise.all(series.all().map((one) => sample(one.labels))),
  };
}

export interface Histogram<L extends LabelLists> extends HistogramMetric {
  observe(value: number, ...labels: Labelled<L>): void;
}

/** How something is distributed: `buckets` are upper bounds, ascending, in the unit of the name. */
export function histogram<const L extends LabelLists = Record<never, never>>(
  declared: Described & { readonly buckets: readonly number[]; readonly labels?: L },
): Histogram<L> {
  const { name, help, buckets, labels } = declared;
  checkName(name, false);
  if (buckets.length === 0 || buckets.some((bound, at) => at > 0 && !(bound > (buckets[at - 1] ?? 0)))) {
    throw new RangeError(`${name}: buckets are ascending upper bounds`);
  }
  const series = new Series(name, labels, () => ({
    counts: new Array<number>(buckets.length + 1).fill(0),
    sum: 0,
  }));
  return {
    kind: 'histogram',
    name,
    help,
    labelNames: series.labelNames,
    bounds: buckets,
    observe: (value, ...at) => {
      // A NaN would make the sum useless for ever.
      if (!Number.isFinite(value)) return;
      const cell = series.at(at[0]);
      const found = buckets.findIndex((bound) => value <= bound);
      const bucket = found === -1 ? buckets.length : found;
      cell.counts[bucket] = (cell.counts[bucket] ?? 0) + 1;
      cell.sum += value;
    },
    distributions: () =>
      series.all().map(({ labels, cell }) => ({ labels, counts: [...cell.counts], sum: cell.sum })),
  };
}

/** `exponential(0.005, 2, 14)`: 5 ms, 10 ms … 41 s */
export function exponential(first: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => Number((first * factor ** at).toPrecision(6)));
}
