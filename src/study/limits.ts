/** The headers of one part. What senders write is below 300 bytes; more is no DICOM package. */
export const partHeaderBytesMax = 8 * 1024;

/** RFC 2046 section 5.1.1. */
export const boundaryCharactersMax = 70;

/** A media type with its parameters, as a sender declares it. */
export const mediaTypeCharactersMax = 512;

/** Text that a sender may put before the first delimiter; nobody reads it. */
export const preambleBytesMax = 64 * 1024;

/** What a sender may put behind the last delimiter; nobody reads it. More is something that was meant to come. */
export const epilogueBytesMax = 1024;

/** Blanks between a delimiter and its line end (RFC 2046 transport-padding). */
export const delimiterPaddingMax = 64;

/** One instance or report; the sizes of the agreement allow 16 GiB. */
export const partBytesMax = 16 * 1024 ** 3;

/** Twice the instances that a transfer may have, so that the transfer's own limit is what a sender meets. */
export const partsMax = 200_000;

/** Parts that one call of nextParts answers with; the rest comes with the next call. */
export const partsPerCallMax = 1024;

/** First look at a delimiter and headers; grows to what they may hold. */
export const peekBytes = 1024;

/** One read while a delimiter is searched, for parts that do not say how long they are. */
export const searchBytes = 64 * 1024;

/** What is looked at to tell a format: a preamble and `DICM`, or a line with a boundary. */
export const sniffBytes = 256;

/** One chunk of a package on its way out; the largest read from a file. */
export const sendChunkBytes = 256 * 1024;
