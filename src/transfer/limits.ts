/** The event loop is given back after this many instances of a long check. */
export const instancesPerTurn = 1_000;

/** A follower that failed tries again after this, doubling … */
export const followRetryMs = 2_000;

/** … up to this: a fault of ours must not hash the same bytes all day. */
export const followRetryMsMax = 60_000;

/** Smaller instances are inspected in one task when they are whole. */
export const aheadBytesMin = 64 * 1024 * 1024;

/** Uploads that are read ahead at once, abandoned ones counted; further ones wait until their instance is whole. */
export const aheadUploadsMax = 256;

/** At most so many objects with a problem are named in one answer. */
export const problemsShownMax = 50;

/** Uploads that one transfer may claim, abandoned ones counted: they are all in its one record. */
export const uploadsMax = 1_000;
