const KiB = 1024;
const MiB = 1024 * KiB;

/** What one request's body may hold in memory, and how its peer is slowed down. */
export const bodyLimits = {
  /** A body's first slabs: 1,000 slow uploads then hold 64 MiB, not 1 GiB. */
  slabBytesMin: 64 * KiB,
  /** Slabs of a body that proved fast; larger writes cost less CPU per byte. */
  slabBytesMax: 1 * MiB,
  /** A body is fast once this much arrived within `fastMs`. */
  fastBytes: 1 * MiB,
  fastMs: 1_000,
  /** All slabs of all connections. Above it chunks are written synchronously, straight from the socket's buffer. */
  slabBytesTotal: 256 * MiB,
  /** Slabs kept for reuse when nobody needs them; the rest is left to the garbage collector. */
  slabBytesIdle: 32 * MiB,
  /** Above this share of `slabBytesTotal` a body waits at `queueBytesCrowded` instead of `queueBytesSoft`. */
  crowdedShare: 0.75,
  /** The peer is paused here, */
  queueBytesSoft: 4 * MiB,
  /** or here when memory is short over all connections, */
  queueBytesCrowded: 512 * KiB,
  /** and here the oldest slab is written synchronously, because pause() is no hard stop. */
  queueBytesHard: 8 * MiB,
  /** Two writes in flight keep the disk busy while the next slab fills. */
  writesInFlight: 2,
  /** Of a fast body chunks are written directly while this much of them takes no longer than that: 100 MiB/s. */
  directBytes: 8 * MiB,
  directMs: 80,
  /** When it took longer nobody's are for this long, so that a disk which stalls stalls us seldom. */
  directPauseMs: 5_000,
  /**
   * What may be held, beyond `slabBytesTotal`, of all bodies whose handlers have not asked yet: the first 128 KiB
   * of 2,000 connections. Of one it is `queueBytesHard`. More, of one or of all, closes the connection.
   */
  heldBytesTotal: 256 * MiB,
  /** A body that is held is looked at only below this: each look is a read. */
  heldLookBytes: 64 * KiB,
  /** What one turn of the loop may bring before all fast bodies but the one that is being read must wait. */
  turnBytes: 16 * MiB,
  /** A body of which so much has come at once is fast enough to wait for its turn. */
  turnChunkBytes: 64 * KiB,
  /** How many of those that wait are let go for a turn: half as many after one that was full, else twice. */
  turnBodiesMin: 1,
  turnBodiesMax: 64,
  /** For so long after such a turn the answer to a fast body closes its connection under uWS. */
  turnCrowdedMs: 2_000,
} as const;

/** How long a body may take. Time in which its peer is paused, and so waits for us, counts nowhere. */
export interface BodyTimers {
  /** A body without a byte for this long is cut. */
  readonly idleMs: number;
  /** One that brings fewer than `rateBytes` in `rateMs` is cut too: 8 bytes a second hold no connection. */
  readonly rateMs: number;
  readonly rateBytes: number;
  /** A paused socket reports no reset: after this long it is looked at again, if only to notice one. */
  readonly pauseMs: number;
}

export const bodyTimers: BodyTimers = {
  idleMs: 60_000,
  // The slowest honest line brings a kibibyte a minute: twice this.
  rateMs: 300_000,
  rateBytes: 2_400,
  pauseMs: 500,
};

/** How an answer waits for its peer. */
export const answerLimits = {
  /** An answer of which the peer takes no byte for this long is cut. */
  idleMs: 60_000,
  /**
   * Answers are written in pieces this large: of a chunked one uWS buffers what the kernel does not take, and
   * node:http tells of each write only that all of it was taken.
   */
  pieceBytes: 64 * KiB,
  /** Answers up to this size are handed over at once; larger ones go through the stream path, with backpressure. */
  bytesAtOnce: 16 * KiB,
  /** A Response of the bridge is sent with a Content-Length when this much of it is there at once. */
  bridgeBytesAtOnce: 64 * KiB,
} as const;

export const headLimits = {
  /** The whole head. uWS reads it from UWS_HTTP_MAX_HEADERS_SIZE, which the launcher sets to the same. */
  bytes: 16 * KiB,
  /** Host included. uWS is built with room for 100, of which it needs two itself, and answers 431 above. */
  headers: 98,
} as const;

export const listenerLimits = {
  /** How often live exchanges are looked at. Together with `pauseMs`: no pause longer than a second. */
  sweepMs: 500,
  /** uWS kills what is slower than 16 KiB/s within 10 s, unless its timer is set again. */
  rearmMs: 5_000,
  /** How long a stopping listener waits for the handlers of connections it has cut. */
  handlersEndMs: 1_000,
  /**
   * How long a connection stays open, unread, after an answer that came before the end of the body.
   * node:http only; under uWS its own timer closes it after 8 to 12 s.
   */
  lingerMs: 1_000,
  /** node:http only; uWS has 10 s built in. */
  headersTimeoutMs: 20_000,
  keepAliveTimeoutMs: 10_000,
  /** How often node:http looks for heads that are late. */
  headersCheckMs: 5_000,
} as const;

/** What the bridge holds in memory. */
export const bridgeLimits = {
  /** A JSON request. */
  bodyBytesMax: 1 * MiB,
  /** All bodies that are held now, of all connections: those up to `bodyBytesMax`, and larger ones. */
  bodiesBytes: { small: 32 * MiB, large: 128 * MiB },
  /** When to try again where the rest is taken. */
  retryAfterSeconds: 5,
} as const;
