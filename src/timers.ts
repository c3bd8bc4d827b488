/**
 * The timers of the runtime: whoever replaces them to test code of his own
 * shall not stop a pool's.
 *
 * @module
 */

const scope = globalThis;

/** That of the runtime. */
export const setTimeout: typeof scope.setTimeout = scope.setTimeout;

/** That of the runtime. */
export const clearTimeout: typeof scope.clearTimeout = scope.clearTimeout;

/** That of the runtime. */
export const setInterval: typeof scope.setInterval = scope.setInterval;

/** That of the runtime. */
export const clearInterval: typeof scope.clearInterval = scope.clearInterval;

/** That of the runtime. */
export const queueMicrotask: typeof scope.queueMicrotask = scope.queueMicrotask;

// A getter on Deno, which takes 20 ms to make it.
const immediate = Object.getOwnPropertyDescriptor(scope, "setImmediate");

/** Calls back when timers that are due and messages have had their turn. */
export function callSoon(callback: () => void): void {
  const setImmediate = immediate!.value ?? immediate!.get!.call(scope);
  setImmediate(callback);
}
