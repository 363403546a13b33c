/** A lane looks at no more deliveries ahead than this to find work for a free connection. */
export const deliveriesAheadMax = 16;

/** Instances that are asked for in one go after a cut or a kill. */
export const askedAtOnceMax = 64;

/** Questions to a receiver at the same time. */
export const questionsInFlightMax = 4;

/** After so many answers to it alone that neither kept nor refused an instance, it counts as refused. */
export const unclearAnswersMax = 5;

/** A STOW or QIDO answer larger than this is not read: 100 bytes an instance are usual. */
export const answerBytesMax = 4 * 1024 * 1024;

/** Deliveries whose digests are computed at once; more would only fill the queue of the workers. */
export const preparingMax = 4;

/** An offer whose digests could not be computed is tried again after this, doubling … */
export const prepareRetryMs = 5_000;

/** … up to this. */
export const prepareRetryMsMax = 60_000;

/** The event loop is given back after this many instances of an acknowledgement. */
export const instancesPerTurn = 1_000;

/** Instances whose patches are held at once while digests are computed: some 300 bytes each. */
export const digestBatchMax = 512;
