import { availableParallelism } from 'node:os';

/** More threads than this only wait for the same disk; the main thread wants a core too. */
export const workersDefault = Math.min(4, availableParallelism());

/** Tasks of all callers that wait; above it a caller is told to come back. */
export const queuedTasksMax = 4096;

/** Bytes that waiting tasks will read: at 500 MB/s a new task waits half a minute at most. */
export const queuedBytesMax = 16 * 1024 ** 3;

/** Instances a task: handing one over costs more than looking at one head. */
export const batchInstancesMax = 64;

/** Bytes a task: keeps it near 20 ms, so that no caller waits long behind another. */
export const batchBytesMax = 16 * 1024 ** 2;

/** Up to here an instance is one task; above, a chain of short ones on one worker. */
export const singleTaskBytesMax = 64 * 1024 ** 2;

/** Chains open over all workers. Each keeps a hash, a walk and, until its head is read, the head. */
export const chainsMax = 1024;

/** Heads that the chains of one thread keep between their tasks; the task that runs holds one more. */
export const headBytesMax = 32 * 1024 ** 2;

/** One read from the page cache: the fastest of 32 KiB to 1 MiB, and two fit the L2 cache. */
export const readBytes = 128 * 1024;

/** One step of inflating or deflating: a trip to zlib's thread and back costs as much as 20 KB of its work. */
export const inflatedChunkBytes = 64 * 1024;

/**
 * Up to here any ratio is taken: a segmentation of 500 slices is 16 MiB of nearly nothing but zeros and
 * deflates to a thousandth. Above, a ratio is the mark of a bomb.
 */
export const ratioFreeBytes = 16 * 1024 ** 2;

/** Bytes of any kind that may follow a deflate stream: a pad byte, or the checksum of zlib's wrapping, and some more. */
export const paddingBytesMax = 8;

/** A report that is made into an instance, inflated: as much as a report may be. */
export const renderedBytesMax = 64 * 1024 ** 2;

/** How hard the tail of a deflated dataset is deflated anew: half as much again as fast as the usual 6, 4 % larger. */
export const tailLevel = 1;

/**
 * How long a thread may be silent over one task before it counts as stuck and is ended: a task takes 20 ms,
 * and a thread that begins on a busy machine some seconds.
 */
export const silenceMsMax = 60_000;

/** And for each MiB that the task reads or writes: 4 MiB/s is a disk that is nearly dead. */
export const silenceMsPerMiB = 250;
