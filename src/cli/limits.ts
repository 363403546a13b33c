/** Nothing is drawn for what is over sooner than this. */
export const PROGRESS_AFTER_MS = 2_000;
/** A terminal's line is rewritten this often. */
export const PROGRESS_DRAW_MS = 250;
/** Where no terminal is, a log would drown in more lines than this. */
export const PROGRESS_LINE_MS = 10_000;
/** MB/s and time left look back this far, so that a line's hiccup does not make them jump. */
export const PROGRESS_RATE_MS = 10_000;

/** Tokens and BSNs are far shorter; a study given by mistake is not read into memory. */
export const SECRET_BYTES_MAX = 4 * 1024;

/** Without a byte of progress for this long a command gives up; --give-up-after changes it. */
export const GIVE_UP_SECONDS = 600;
export const GIVE_UP_SECONDS_MAX = 7 * 24 * 3600;
/** The first pause after a failure, doubled up to the second; half of it is jitter. */
export const PAUSE_MS_FIRST = 500;
export const PAUSE_MS_MAX = 30_000;
/** An exchange that asks for more patience than this is asked again sooner. */
export const RETRY_AFTER_MS_MAX = 300_000;

export const CONNECT_MS_MAX = 5_000;
/** The exchange answers within 120 s, and 1 s per 10 MiB that it has to take in (design: times). */
export const ANSWER_MS_MAX = 120_000;
export const ANSWER_BYTES_PER_SECOND = 10 * 1024 * 1024;
/** A line that moves no byte for this long is cut and begun anew. */
export const IDLE_MS_MAX = 60_000;
/** A JSON answer: 100,000 instances of a delivery take about 40 MB. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** A problem answer is a few sentences. */
export const PROBLEM_BYTES_MAX = 64 * 1024;
/** What of an exchange's own words reaches the terminal. */
export const DETAIL_CHARACTERS_MAX = 500;

/**
 * design: sizes. The exchange refuses more instances, bytes, mailboxes and characters, by limits of its own that an
 * operator may have changed; it does not count studies. Saying so before hours of sending is kinder.
 */
export const TRANSFER_INSTANCES_MAX = 100_000;
export const TRANSFER_REPORTS_MAX = 1_000;
export const TRANSFER_STUDIES_MAX = 200;
export const TRANSFER_BYTES_MAX = 200 * 1024 ** 3;
export const TRANSFER_MAILBOXES_MAX = 10;
export const INSTANCE_BYTES_MAX = 16 * 1024 ** 3;
export const REMARK_CHARACTERS_MAX = 2_000;
/** Files looked at below one PATH; more than a transfer holds, since what is no DICOM is skipped. */
export const FILES_MAX = 250_000;
/** Folders inside each other; a link that leads to itself is never followed, this is for the rest. */
export const FOLDER_DEPTH_MAX = 64;

/** Files are read in pieces of this size: hashing, copying, verifying. */
export const READ_BYTES = 1024 * 1024;

/** How often the exchange is asked whether it has checked a transfer: doubling between the two. */
export const POLL_MS_FIRST = 100;
export const POLL_MS_MAX = 5_000;
/** --wait ends where the exchange itself would: a delivery expires after 30 days (design: held). */
export const DELIVERY_WAIT_MS_MAX = 30 * 24 * 3600 * 1000;
/** Uploads made for one transfer in one run, should the exchange lose them. */
export const UPLOADS_MAX = 3;
/** Earlier sendings of the same files that --again steps over. */
export const SENDINGS_MAX = 100;

/** Seconds that the exchange may hold an inbox request open. */
export const INBOX_WAIT_SECONDS = 30;
/** Between two looks at an inbox that holds only what failed here. */
export const INBOX_PAUSE_MS = 15_000;
/** Missing instances closer together than this are fetched in one request, and what lies between is thrown away. */
export const SKIP_BYTES_MAX = 256 * 1024;
/** Instances whose fsync is still running while the next one streams. */
export const SYNCS_MAX = 4;
/** Times that a delivery is begun anew because its content changed, or an instance because its digest differs. */
export const ANEW_MAX = 3;
/** Pages of a list that one command walks. */
export const PAGES_MAX = 1_000;

/** Heads that bsn-report reads at a time: a share in another room answers each in some ms. */
export const HEADS_READ_MAX = 16;
/** Patients and studies that bsn-report tells apart, at about 0.5 kB each; files of more are still read, listed and counted. */
export const REPORT_PATIENTS_MAX = 100_000;
export const REPORT_STUDIES_MAX = 250_000;
/** Different numbers that are kept of one patient or study: from two on a person has to look. */
export const REPORT_NUMBERS_MAX = 4;
/** What bsn-report shows on a screen of each kind; csv and json have all. */
export const REPORT_LINES_MAX = 50;
