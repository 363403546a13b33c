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

/** Kinds of objects that a delivery names as left out; its record is written anew with each answer of a receiver. */
export const leftOutKindsMax = 32;

/** The head of an instance up to its last edit is read to check what is sent; behind this only a private element is cut out. */
export const checkedHeadBytesMax = 16 * 1024 * 1024;

/** First look at an instance whose scan an earlier version made. */
export const scanBytes = 64 * 1024;

/** Stored bytes that are held against the ledger together: one segment of S3, fetched once; and so many stretches at once. */
export const checkedBytesAtOnce = 64 * 1024 * 1024;
export const checksAtOnce = 2;

/** When the queue of the workers is full, a check asks again after this. */
export const checkPauseMs = 500;

/** What was verified is not read again so soon, of so many transfers: some hours are short for a disk. */
export const verifiedMsMax = 6 * 3_600_000;
export const verifiedTransfersMax = 10_000;
