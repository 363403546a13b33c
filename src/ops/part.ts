/**
 * A long-lived part of the program. main.ts starts parts in order and stops them in reverse.
 *
 * `stop` finishes what is running until `deadline` aborts, then cuts it.
 */
export interface Part {
  start(): Promise<void>;
  stop(deadline: AbortSignal): Promise<void>;
}
