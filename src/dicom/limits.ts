/** What a first look asks for: enough for most heads, and one read of a page-cached file. */
export const WINDOW_BYTES_FIRST = 32 * 1024;

/** Each next window is this many times the one before, so a head is read at most 6 times. */
export const WINDOW_GROWTH = 4;

/** Private blocks between groups 0008 and 0010 were seen at 1 MB; 16 times that is not a head any more. */
export const WINDOW_BYTES_MAX = 16 * 1024 * 1024;

/** How far nested identities are looked for, if the head is not longer: the same for everybody who looks. */
export const IDENTITY_BYTES = 128 * 1024;

/** (0010,1002) is read again for each patch, on the main thread: room for 300 items of nl-2010, where two are usual. */
export const OTHER_IDS_BYTES_MAX = 64 * 1024;

/** Different ids, and different names, that nested datasets give their patients: with more they are not one person. */
export const NESTED_VALUES_MAX = 256;

/** Sequences inside each other. Structured reports reach about 10; a file 3,000 deep is an attack. */
export const NESTING_MAX = 64;

/** The longest value that is read as an identity. A name has 5 components of 64 characters at most. */
export const VALUE_BYTES_MAX = 4096;

/** PS3.5 section 9.1: a UID has at most 64 characters. */
export const UID_CHARACTERS_MAX = 64;

/** PS3.5 table 6.2-1: the longest LO, and the longest CS. UT may be longer, an OID may not (section 9.1). */
export const LO_CHARACTERS_MAX = 64;
export const CS_CHARACTERS_MAX = 16;
