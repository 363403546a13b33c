/** The event loop is given back after this many instances of a long check. */
export const instancesPerTurn = 1_000;

/** Undecided transfers of which it is remembered what was found: 1 KiB each, 32 at most; the others are read again. */
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

/** Reports that one manifest lists: they are in its one record, 150 bytes each. */
export const reportsMax = 1_000;

/** Studies that one answer names: as many as a transfer may have by default. */
export const studiesShownMax = 200;

/** Entries of archives that one answer names as set aside. */
export const setAsideShownMax = 100;

/** Entries of archives that are set aside by name; what comes behind is only counted. */
export const setAsideKeptMax = 10_000;

/** Unpacked bytes of one packed byte: what is real stays below 100, what is meant to fill a disk is far above. */
export const ratioMax = 200;

/** How much room is set aside for a deflated dataset, in bytes for each of its own; text of an SR reaches 10. */
export const inflatedRatioExpected = 4;

/** Deflated entries and datasets of one step that are unpacked at once: each waits for a worker and a sync. */
export const unpackingMax = 8;

/** Reports that are made into instances at once. */
export const renderingMax = 4;

/**
 * … and for one transfer in all: each takes a thread up to 3 s, and all are recorded together. A referral has
 * some tens.
 */
export const renderedMax = 1_000;

/** What an instance made of a text may be beside the text itself: fonts and pages. */
export const renderRoomBytes = 4 * 1024 * 1024;

/** After so many lost threads a report counts as one that cannot be made into a PDF. */
export const renderingFailuresMax = 3;

/** The head of an instance that says whose a report is: as far as a scan looks at most. */
export const contextBytesMax = 16 * 1024 * 1024;

/** Nothing expires so soon after a start: while the program was off no sender could go on. */
export const expiryGraceMs = 3_600_000;

/** Notes of the outbox that are read in one turn of the event loop. */
export const outboxPage = 1_000;

/** Derived objects of one transfer that are removed with one commit. */
export const derivedDropPage = 1_000;

/** Uploads that one transfer may claim, abandoned ones counted: they are all in its one record. */
export const uploadsMax = 1_000;

/** Words of a patient's name that are kept of each object. Dutch double names with their prefixes have 8. */
export const nameWordsMax = 16;

/** Ways to write one patient's name that are remembered for a transfer; the first already tells another's. */
export const nameFormsMax = 16;
