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

/** What a patch reads again of group 0010, from Patient ID to (0010,1002), each time it is made. */
export const PATIENT_BYTES_MAX = 192 * 1024;

/** Tags that a signature lists. Whole objects are signed too, and then everything may as well be. */
export const SIGNED_TAGS_MAX = 1024;

/** MAC parameters of one instance: a few hundred bytes each, and one for each signature. */
export const MAC_PARAMETERS_BYTES_MAX = 256 * 1024;

/** Private groups with a length, which a patch may have to count anew. Objects have 20 private groups. */
export const COUNTED_GROUPS_MAX = 64;

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

/** The longest even value that a header with a 16 bit length announces (PS3.5 section 7.1.2). */
export const SHORT_VALUE_BYTES_MAX = 65_534;

/** Top-level sequences of one instance that are searched for other people. Enhanced multi-frames have about 50. */
export const SEQUENCES_MAX = 4096;

/** Elements listed in each record as holding another person. Real ones have one or two. */
export const FOREIGN_ELEMENTS_MAX = 64;

/** Numbers kept from one free text, or from all sequences: none of them decides. */
export const HINTS_MAX = 64;

/** PID-3 of a patient with 60 identifiers, HL7's 250 characters each. What is longer is no list of identifiers. */
export const PID3_CHARACTERS_MAX = 15_000;

/** The longest value the walk holds, to judge the pixel data by: a CS, or an IS with its padding. */
export const SMALL_VALUE_BYTES_MAX = 16;
