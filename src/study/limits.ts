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

/** A report; those of real departments are below 20 MiB, and a receiver's mail or portal opens it whole. */
export const reportBytesMax = 64 * 1024 ** 2;

/** What is looked at for the root of an XML report: behind its declaration come comments and style sheets. */
export const reportHeadBytes = 64 * 1024;

/** How far from its ends the marks of a PDF may stand (as readers have it), and what is looked at for the end of XML. */
export const reportTailBytes = 1024;

/** One read of a text. */
export const reportReadBytes = 256 * 1024;

/** As many as parts: what an archive may have is what a package may have. */
export const archiveEntriesMax = 200_000;

/** The central directory; 200,000 entries with names of 200 bytes have 50 MiB. */
export const archiveDirectoryBytesMax = 64 * 1024 ** 2;

/** The name of an entry with its folders; file systems allow 255 for a name, and hospitals nest a few. */
export const entryNameBytesMax = 1024;

/** How many times its size an entry, and an archive, may inflate to. Deflate reaches 1,032, images rarely 10. */
export const inflationMax = 200;

/** Below this the ratio counts for nothing: a blank image is deflated to a thousandth, and harms nobody. */
export const inflationFreeBytes = 16 * 1024 ** 2;

/** What the entries of one archive inflate to where the caller says nothing: what a transfer may have. */
export const archiveBytesMax = 200 * 1024 ** 3;

/** One read of the central directory. */
export const directoryReadBytes = 256 * 1024;

/** The event loop is given back after this many entries of a directory. */
export const entriesPerTurn = 1_000;

/** Entries that are looked at together: each waits for one read. */
export const entriesAtOnce = 16;

/** Compressed bytes of an entry that are looked at; they inflate to 2 MiB at the very most. */
export const entryPeekBytes = 2 * 1024;

/** Bytes of an entry by which it is told what it is: a DICOM preamble, or the root of a CDA behind its comments. */
export const entryStartBytes = 4 * 1024;

/** What is read beyond name and data for the extra fields of a local header. */
export const entryExtraBytes = 64;

/** Entries of all archives of which it is remembered where they are: 12 bytes each. */
export const listedEntriesMax = 2_000_000;

/** Archives of which a listing is remembered; that of any other is made again with its next step. */
export const listingsMax = 256;

/** Entries of a ZIP's central directory that are made together: some 40 KB, so that a socket gets no small writes. */
export const centralEntriesPerFrame = 512;
