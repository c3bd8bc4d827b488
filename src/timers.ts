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

const scope = globalThis as unknown as {
  setTimeout: Start;
  clearTimeout: Clear;
  setInterval: Start;
  clearInterval: Clear;
  queueMicrotask(callback: () => void): void;
};

/** That of the runtime. */
export const setTimeout: Start = scope.setTimeout;

/** That of the runtime. */
export const clearTimeout: Clear = scope.clearTimeout;

/** That of the runtime. */
export const setInterval: Start = scope.setInterval;

/** That of the runtime. */
export const clearInterval: Clear = scope.clearInterval;

/** That of the runtime. */
export const queueMicrotask: (callback: () => void) => void =
  scope.queueMicrotask;

// A getter on Deno, which takes 20 ms to make it.
const immediate = Object.getOwnPropertyDescriptor(scope, "setImmediate");

/** Calls back when timers that are due and messages have had their turn. */
export function callSoon(callback: () => void): void {
  const setImmediate = immediate!.value ?? immediate!.get!.call(scope);
  setImmediate(callback);
}
