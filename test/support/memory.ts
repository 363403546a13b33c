import { readFileSync } from 'node:fs';

const SAMPLE_MS = 50;
const STATUS_LINES = /^(?:RssAnon|RssShmem):\s+(\d+) kB$/gm;

/**
 * Memory that a process holds for itself: RssAnon + RssShmem of /proc/PID/status, in bytes. Mapped files
 * (LMDB, the program's own code) are the kernel's to take back and do not count. 0 when it has ended.
 */
export function memoryBytes(pid: number): number {
  let status: string;
  try {
    status = readFileSync(`/proc/${pid.toString()}/status`, 'latin1');
  } catch {
    return 0;
  }
  let kilobytes = 0;
  for (const [, value] of status.matchAll(STATUS_LINES)) kilobytes += Number(value);
  return kilobytes * 1024;
}

export interface MemoryWatch {
  /** The highest sample since the start or the last `reset`. */
  readonly peakBytes: number;
  /** Forgets the peak: the next one is of what comes now. */
  reset(): void;
  stop(): void;
}

/** Samples every 50 ms, so that a peak shorter than that can be missed. Does not keep this process alive. */
export function watchMemory(pid: number): MemoryWatch {
  let peak = memoryBytes(pid);
  const sample = (): void => {
    peak = Math.max(peak, memoryBytes(pid));
  };
  const timer = setInterval(sample, SAMPLE_MS);
  timer.unref();
  return {
    get peakBytes() {
      sample();
      return peak;
    },
    reset() {
      peak = memoryBytes(pid);
    },
    stop() {
      sample();
      clearInterval(timer);
    },
  };
}
