/**
 * What a worker counts, in the memory that it shares with its pool: the worker
 * adds, the pool reads when it is asked. So nothing of this needs a message,
 * and what a worker did until it died is known.
 *
 * Each counter has one writer, and machines of 64 bits write it in one go: a
 * reader sees the value before or after. What a worker counts before it sends
 * a message is seen by whoever has got the message.
 *
 * @module
 */

/** Tasks that succeeded. */
export const COMPLETED = 0;
/** Time in the init function, in ms, as all that follow. */
export const INIT = 1;
/** Time with nothing to do. */
export const WAITING = 2;
/** Time in tasks. */
export const WORKING = 3;
/** Time in the exit function. */
export const EXIT = 4;

/** The number of counters. */
export const COUNTERS = 5;

/** The counters of one worker. */
export type Counters = Float64Array;

/** Makes counters that are not shared, all zero. */
export function createCounters(): Counters {
  return new Float64Array(COUNTERS);
}
