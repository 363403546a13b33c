/**
 * Values in one JSON body, beside those that list instances: the largest request that there is has about 20.
 * A body in bytes alone says little: 64 MiB of `[{},{},…` are 22 million objects, which took 3 GB and held up
 * every other request for 16 seconds.
 */
export const jsonValuesMax = 1_000;

/** … and for each instance that a list may name: an object of at most five members. */
export const jsonValuesPerInstance = 6;

/** Objects and arrays within each other; what we take has four. */
export const jsonDepthMax = 16;

/** A name in a path. Ours are 36 and 64 at most; LMDB has room for about 2,000 and throws above. */
export const pathNameCharactersMax = 128;

/** An inbox whose first delivery is being prepared is answered when that is offered, or after this. */
export const preparingSecondsMax = 30;

/** The event loop is given back after this many instances of a long answer. */
export const instancesPerTurn = 1_000;
