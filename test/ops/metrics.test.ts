import { describe, expect, it } from 'vitest';
import { counter, exponential, gauge, histogram } from '../../src/ops/metric.ts';
import { Metrics } from '../../src/ops/metrics.ts';

const build = { version: '1.2.3', commit: 'abc' };
const linesOf = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(name));

describe('metrics', () => {
  it('shows every series of a closed list from the start, and what was added', async () => {
    const metrics = new Metrics(build);
    const refusals = counter({
      name: 'sluis_test_refusals_total',
      help: 'refused',
      labels: { reason: ['space', 'limit'] },
    });
    metrics.register([refusals]);
    refusals.add(2, { reason: 'limit' });
    await metrics.text();
    const text = await metrics.text();
    expect(linesOf(text, 'sluis_test_refusals_total')).toEqual([
      'sluis_test_refusals_total{reason="space"} 0',
      'sluis_test_refusals_total{reason="limit"} 2',
    ]);
    expect(text).toContain('# TYPE sluis_test_refusals_total counter');
  });

  it('cumulates the buckets of a histogram and keeps sum and count', async () => {
    const metrics = new Metrics(build);
    const seconds = histogram({
      name: 'sluis_test_wait_seconds',
      help: 'waited',
      buckets: [0.1, 1],
      labels: { outcome: ['ok'] },
    });
    metrics.register([seconds]);
    for (const value of [0.05, 0.1, 0.5, 7, Number.NaN]) seconds.observe(value, { outcome: 'ok' });
    expect(linesOf(await metrics.text(), 'sluis_test_wait_seconds')).toEqual([
      'sluis_test_wait_seconds_bucket{outcome="ok",le="0.1"} 2',
      'sluis_test_wait_seconds_bucket{outcome="ok",le="1"} 3',
      'sluis_test_wait_seconds_bucket{outcome="ok",le="+Inf"} 4',
      'sluis_test_wait_seconds_sum{outcome="ok"} 7.65',
      'sluis_test_wait_seconds_count{outcome="ok"} 4',
    ]);
  });

  it('reads gauges when asked, leaves out one that fails and counts the gap', async () => {
    const metrics = new Metrics(build);
    let depth = 3;
    metrics.register([
      gauge({ name: 'sluis_test_queue_uploads', help: 'waiting', read: () => depth }),
      gauge({
        name: 'sluis_test_disk_bytes',
        help: 'bytes',
        labels: { part: ['free', 'all'] },
        read: ({ part }) => Promise.resolve(part === 'free' ? 1 : 2),
      }),
      gauge({ name: 'sluis_test_gone_bytes', help: 'gone', read: () => Promise.reject(new Error('gone')) }),
    ]);
    await metrics.text();
    depth = 4;
    const text = await metrics.text();
    expect(linesOf(text, 'sluis_test_queue_uploads')).toEqual(['sluis_test_queue_uploads 4']);
    expect(linesOf(text, 'sluis_test_disk_bytes')).toEqual([
      'sluis_test_disk_bytes{part="free"} 1',
      'sluis_test_disk_bytes{part="all"} 2',
    ]);
    expect(linesOf(text, 'sluis_test_gone_bytes')).toEqual([]);
    expect(linesOf(await metrics.text(), 'sluis_metrics_gaps_total')[0]).not.toBe(
      'sluis_metrics_gaps_total 0',
    );
  });

  it('does not let a gauge that never answers hold the scrape', async () => {
    const metrics = new Metrics(build);
    metrics.register([
      gauge({ name: 'sluis_test_stuck_bytes', help: 'stuck', read: () => new Promise<number>(() => {}) }),
    ]);
    expect(await metrics.text()).toContain('sluis_build_info');
  });

  it('says which program it is, and keeps no gauge that is named like a counter', async () => {
    const text = await new Metrics(build).text();
    expect(linesOf(text, 'sluis_build_info')).toEqual([
      `sluis_build_info{version="1.2.3",commit="abc",node="${process.versions.node}"} 1`,
    ]);
    expect(text).toContain('process_cpu_seconds_total');
    for (const line of text.split('\n').filter((one) => / gauge$/.test(one)))
      expect(line).not.toMatch(/_total gauge$/);
  });

  it('refuses a name that is taken, not in a base unit, or without the ending of its kind', () => {
    const one = () => counter({ name: 'sluis_test_same_total', help: 'same' });
    const metrics = new Metrics(build);
    metrics.register([one()]);
    expect(() => metrics.register([one()])).toThrow(/already been registered/);
    expect(() => counter({ name: 'sluis_test_things', help: '' })).toThrow(/_total/);
    expect(() => gauge({ name: 'sluis_test_total', help: '', read: () => 0 })).toThrow(/_total/);
    expect(() => gauge({ name: 'sluis_test_wait_ms', help: '', read: () => 0 })).toThrow(/base unit/);
    expect(() => gauge({ name: 'Other', help: '', read: () => 0 })).toThrow(/metric name/);
    expect(() => histogram({ name: 'sluis_test_seconds', help: '', buckets: [2, 1] })).toThrow(/ascending/);
    expect(() => one().add(-1)).toThrow(/cannot grow/);
  });

  it('makes exponential buckets', () => {
    expect(exponential(0.005, 2, 4)).toEqual([0.005, 0.01, 0.02, 0.04]);
  });
});
