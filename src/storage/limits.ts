/** Largest chunk that `read` yields; two such buffers per reader, allocated only as large as needed. */
export const readChunkBytes = 1024 * 1024;

/** Folders that objects are spread over, so that none holds more than some thousand names. */
export const bucketCount = 256;

/** Objects hold patients' images: the program's user alone may look. */
export const objectMode = 0o600;
export const folderMode = 0o700;

/** Workers are lent so much of a long list at a time: enough to keep them busy while the next is fetched. */
export const lentBytesMax = 256 * 1024 * 1024;

const MiB = 1024 * 1024;

/** Bytes of an object that become one object of S3. Never changes: where a byte lies follows from it. */
export const segmentBytes = 64 * MiB;

/** Files that one writer has open; older segments are synced and closed. */
export const openSegmentsMax = 8;

/** Bytes of one part of a multipart upload: what a failed request sends again. S3 takes no less than 5 MiB. */
export const partBytes = 16 * MiB;

/** Parts that are sent at once, over all segments: each is in memory meanwhile. */
export const partsAtOnce = 6;

/** Segments that are moved to S3 at once. */
export const offloadsAtOnce = 4;

/** A segment that could not be moved is tried again after this, doubling … */
export const offloadRetryMs = 1_000;
/** … up to this, for ever: it stays on the disk here meanwhile. */
export const offloadRetryMsMax = 30_000;

/** The spool keeps what is in S3 already until it is so full: the follower and the workers come right behind the writer. */
export const spoolCacheShare = 0.5;

/** … and only while so much of the disk is free: a copy must not keep an upload out. */
export const spoolFreeShare = 0.3;

/** A writer waits so long for room in the spool; then its client is told to come back. */
export const roomWaitMs = 30_000;

/** Segments fetched back for workers at once … */
export const fetchesAtOnce = 4;
/** … and their bytes, as long as somebody needs them. One that needs more comes alone. */
export const fetchedBytesMax = 1024 * MiB;

/** A broken GET goes on from where it broke so often without a byte between … */
export const getRetriesMax = 4;
export const getRetryMs = 200;
/** … and for so long: who reads has somebody waiting too. */
export const getPatienceMs = 45_000;

/** Who removes or lists gives S3 so long for each answer … */
export const answerMs = 10_000;
/** … and who removes waits so long for all of them: it is gone on with all the same. */
export const removeWaitMs = 5_000;

/** What could not be removed from S3 is tried again after this, one after the other; of so many. */
export const removeRetryMs = 30_000;
export const leftoversMax = 100_000;

/** What an upload has in the spool at a time while S3 keeps up: the segment being written, and some on their way. */
export const footprintSegments = 4;

/** Multipart uploads under our prefix that nobody here knows are given up after this. */
export const multipartAgeMsMax = 24 * 3_600_000;

/** S3 has so long to accept a connection … */
export const connectMs = 5_000;
/** … and to take or give a byte. */
export const silenceMs = 30_000;
/** Connections: who reads slowly keeps one. */
export const socketsMax = 256;
