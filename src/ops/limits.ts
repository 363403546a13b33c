/** One gauge; a scrape waits for the slowest of them. */
export const GAUGE_READ_MS_MAX = 2_000;

/** Scrapers send a few hundred bytes. */
export const OPS_HEADER_BYTES_MAX = 8 * 1024;
/** One Prometheus, one probe, and a person who looks. */
export const OPS_CONNECTIONS_MAX = 32;
export const OPS_HEADERS_MS_MAX = 5_000;
/** A request that is not whole by then is cut; none of ours has a body. */
export const OPS_REQUEST_MS_MAX = 10_000;
/** Longer than a usual scrape interval, so that a scraper keeps its connection. */
export const OPS_KEEP_ALIVE_MS = 20_000;
/** How often Node looks for requests and headers that take too long. */
export const OPS_CHECK_MS = 1_000;
