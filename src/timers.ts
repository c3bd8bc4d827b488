/**
 * The timers of the runtime: whoever replaces them to test code of his own
 * shall not stop a pool's.
 *
 * @module
 */

/** What a timer is depends on the runtime. */
export type Timer = unknown;

type Start = (
  callback: (value: never) => void,
  ms?: number,
  value?: unknown,
) => Timer;
type Clear = (timer: Timer) => void;
type Call = (callback: () => void) => void;

/**
 * What a global variable is now. Deno makes timers when they are first read,
 * which takes 5 ms, and `setImmediate` 20.
 */
function present<F>(name: string): () => F {
  const { value, get } = Object.getOwnPropertyDescriptor(globalThis, name) ??
    {};
  let found: F | undefined = value;
  return () => found ??= get!.call(globalThis) as F;
}

const timeout = present<Start>("setTimeout");
const noTimeout = present<Clear>("clearTimeout");
const interval = present<Start>("setInterval");
const noInterval = present<Clear>("clearInterval");
const immediate = present<Call>("setImmediate");

/** That of the runtime. */
export const setTimeout: Start = (callback, ms, value) =>
  timeout()(callback, ms, value);

/** That of the runtime. */
export const clearTimeout: Clear = (timer) => noTimeout()(timer);

/** That of the runtime. */
export const setInterval: Start = (callback, ms) => interval()(callback, ms);

/** That of the runtime. */
export const clearInterval: Clear = (timer) => noInterval()(timer);

/** That of the runtime. */
export const queueMicrotask: Call = globalThis.queueMicrotask;

/** Calls back when timers that are due and messages have had their turn. */
export const callSoon: Call = (callback) => immediate()(callback);
