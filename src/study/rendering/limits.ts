/** A structured report, CDA or text. They are held in memory whole; real ones have 5 to 500 KB. */
export const textReportBytesMax = 16 * 1024 ** 2;

/** Content items of a structured report. A dose report of a long intervention has about 10,000. */
export const contentItemsMax = 20_000;

/** Items of any sequence that are read: a content item has up to four of its own, for codes and units. */
export const sequenceItemsMax = 5 * contentItemsMax;

/** One text of a structured report. */
export const textBytesMax = 64 * 1024;

/** Elements of an XML document, and how deep they stand in each other. Lists of tables in sections reach about 20. */
export const xmlElementsMax = 100_000;
export const xmlDepthMax = 64;

/** Text of one report: 200 pages hold no more, which is known without laying them out. */
export const textCharactersMax = 1_100_000;

/** What is decoded of a structured report: as many characters, at the most bytes that one takes (UTF-8, GB18030). */
export const decodedBytesMax = 4 * textCharactersMax;

/** More is a fault of somebody's: 200 pages take a thread up to 2 s and 300 MB, and others wait for it. */
export const pagesMax = 200;

/** Laying out one word takes time that grows with the square of its length, so longer ones are cut. A UID has 64. */
export const wordCharactersMax = 80;

/** PS3.5 table 6.2-1: the longest ST. A title is at most that. */
export const titleBytesMax = 1024;

/** A line at the foot of a page; about 130 fit. */
export const footCharactersMax = 400;
