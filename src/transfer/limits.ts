/** The event loop is given back after this many instances of a long check. */
export const instancesPerTurn = 1_000;

/** Undecided transfers of which it is remembered what was found: 1 KiB each; the others are read again. */
export const judgementsMax = 1_000;

/** A follower that failed tries again after this, doubling … */
export const followRetryMs = 2_000;

/** … up to this: a fault of ours must not hash the same bytes all day. */
export const followRetryMsMax = 60_000;

/** After so many failures in a row each part is inspected by itself, and the one that fails is held for a person. */
export const inspectSinglyAfter = 5;

/** Smaller instances are inspected in one task when they are whole. */
export const aheadBytesMin = 64 * 1024 * 1024;

/** Uploads that are read ahead at once, abandoned ones counted; further ones wait until their instance is whole. */
export const aheadUploadsMax = 256;

/** Transfers that are looked at for one page of a list: with a rare state the rest comes with the next. */
export const lookedAtMax = 1_000;

/** At most so many objects with a problem are named in one answer. */
export const problemsShownMax = 50;

/** Uploads that one transfer may claim, abandoned ones counted: they are all in its one record. */
export const uploadsMax = 1_000;
