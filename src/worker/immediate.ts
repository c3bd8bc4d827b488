/** Calls back when timers that are due and messages have had their turn. */
export function callSoon(callback: () => void): void {
  // Looked up when it is needed: Deno takes 20 ms to make it.
  const { setImmediate } = globalThis as unknown as {
    setImmediate(callback: () => void): void;
  };
  setImmediate(callback);
}
