/**
 * Marks what is in a value to be moved to the other thread instead of copied:
 * the memory of its array buffers and typed arrays, however deep, and message
 * ports and streams (on Bun, no streams). That takes no time, whatever the
 * size.
 *
 * Works for arguments and for results. What is moved is gone where it was: a
 * typed array has length 0 from when its task is sent, which may be some time
 * after the call, so do not use it any more. A second task with it fails, but
 * for one that is sent together with the first. A view moves the whole buffer
 * that it is a part of. Shared memory is shared as ever. Only threads can be
 * sent memory: processes get copies, and with start method `"serial"` values
 * stay as they are.
 *
 * If a worker dies before a task that was sent to it has begun, the task runs
 * in another one; one whose arguments were moved cannot, and rejects with a
 * `WorkerDiedError`. Shared objects and closures are copied for each worker:
 * marked parts in them are refused.
 *
 * In a function that is sent by value, pass it as `closure: { transfer }`.
 *
 * @typeParam T The type of the value.
 * @param value The value; it is returned as it is.
 * @returns The value itself.
 * @throws {TypeError} If `value` is not an object.
 *
 * @example Usage
 * ```ts
 * import { transfer, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new WorkerPool({ nJobs: 2 });
 * const data = new Float64Array(1_000_000).fill(1);
 * const doubled = await pool.apply(
 *   (data: Float64Array) => transfer(data.map((x) => x * 2)),
 *   [transfer(data)],
 *   { closure: { transfer } },
 * );
 * assertEquals([doubled.length, doubled[0]], [1_000_000, 2]);
 * assertEquals(data.length, 0);
 * ```
 */
export function transfer<T extends object>(value: T): T {
  // Nothing but globals, so that it can be sent by value: see wire/transfer.ts.
  const mark = (globalThis as Record<symbol, unknown>)[
    Symbol.for("polypool.transfer")
  ] as (value: T) => T;
  return mark(value);
}
