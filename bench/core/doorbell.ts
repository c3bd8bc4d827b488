/** Calls by shared memory, as both sides see them. */

/** Counts the calls that have been made. */
export const REQUEST = 0;
/** Counts those that have been answered. */
export const ANSWER = 1;
/** The argument, then the result. */
export const VALUE = 2;

/** How long a side that waits looks before it sleeps, in ms. */
export const SPIN = 0.05;

type Waited = { async: boolean; value: Promise<unknown> };

const { waitAsync } = Atomics as unknown as {
  waitAsync(words: Int32Array, index: number, value: number): Waited;
};

/** Looks for `spin` ms whether a word changes from `value`; then, sleeps. */
export function waitFor(
  words: Int32Array,
  index: number,
  value: number,
  spin: number,
): Promise<void> | undefined {
  const end = performance.now() + spin;
  do {
    for (let i = 0; i < 32; i++) {
      if (Atomics.load(words, index) !== value) return undefined;
    }
  } while (performance.now() < end);
  return sleep(words, index, value);
}

async function sleep(
  words: Int32Array,
  index: number,
  value: number,
): Promise<void> {
  while (Atomics.load(words, index) === value) {
    const { async, value: woken } = waitAsync(words, index, value);
    if (async) await woken;
  }
}
