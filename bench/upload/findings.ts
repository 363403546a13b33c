import { type Bar, type Measured, median } from '../lib/report.ts';

/** What a run has found: figures by subject and metric, and the bars that they are held against. */
export class Findings {
  readonly #runs = new Map<string, { subject: string; metric: string; unit: string; runs: number[] }>();
  readonly bars: Bar[] = [];
  readonly notes: string[] = [];

  get results(): Measured[] {
    return [...this.#runs.values()];
  }

  add(subject: string, metric: string, unit: string, value: number): void {
    const name = `${subject}\n${metric}`;
    const found = this.#runs.get(name) ?? { subject, metric, unit, runs: [] };
    this.#runs.set(name, found);
    found.runs.push(value);
  }

  /** The median; NaN of what was not measured, which holds no bar. */
  of(subject: string, metric: string): number {
    return median(this.#runs.get(`${subject}\n${metric}`)?.runs ?? []);
  }

  atLeast(name: string, value: number, bar: number): void {
    this.#bar({ name, value, bar, holds: value >= bar });
  }

  atMost(name: string, value: number, bar: number): void {
    this.#bar({ name, value, bar, holds: value <= bar });
  }

  #bar(bar: Bar): void {
    this.bars.push(bar);
    console.error(
      `  ${bar.holds ? 'holds ' : 'FAILS '} ${bar.name}: ${bar.value.toFixed(3)} (${bar.bar.toString()})`,
    );
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  /** One line on standard error: what runs now. */
  progress(text: string): void {
    console.error(`  ${text}`);
  }
}
