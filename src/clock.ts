/**
 * `performance`, for where a tenth of a microsecond counts: on Node the global
 * is a getter, which takes as long as to read the clock.
 */
export const clock: Pick<Performance, "now"> = globalThis.performance;
