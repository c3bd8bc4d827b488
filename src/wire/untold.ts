/**
 * Results that a worker has computed and not told yet, in memory shared with
 * its owner.
 *
 * Where each task stands for itself, its result must not depend on the tasks
 * that follow: they may take long, or end the worker. A message for each would
 * cost more than most tasks. So results that fit are put down here before the
 * next task begins, and told together; the owner fetches what a busy worker
 * has not told, and what one that died never will.
 *
 * Only one chunk of a worker runs its tasks in order at a time, so that there
 * is one place for all: 8 bytes for the task at index `i`, at `i % UNTOLD_CAPACITY`.
 * At most so many are untold. The owner may read those of tasks between the
 * number that has been told (the word `TOLD_WORD`) and the last one that has
 * begun; and it must find the same task running, and the chunk not ended,
 * after it has read. For the worker writes nothing here between the beginning
 * of a task and its end, and what it wrote before is published by the word
 * that tells of the beginning.
 *
 * @module
 */

import {
  type ControlBlock,
  progressOf,
  RESULTS_OFFSET,
  TOLD_WORD,
  UNTOLD_CAPACITY as CAPACITY,
} from "./control.ts";

/** The values beside numbers: such a one is a NaN that holds its index. */
const SPECIAL = [NaN, undefined, null, false, true];

/** Both words of a NaN, whatever their order. */
const NAN_WORD = 0x7ff80000;

/** The untold results of one worker, as either side sees them. */
export class UntoldResults {
  readonly #control: ControlBlock;
  readonly #numbers: Float64Array;
  readonly #words: Int32Array;

  constructor(control: ControlBlock) {
    const { buffer, byteOffset } = control;
    const start = byteOffset + RESULTS_OFFSET;
    this.#control = control;
    this.#numbers = new Float64Array(buffer, start, CAPACITY);
    this.#words = new Int32Array(buffer, start, CAPACITY * 2);
  }

  /** Worker: puts down the result of a task. False if it does not fit. */
  put(index: number, value: unknown): boolean {
    const at = index % CAPACITY;
    if (typeof value === "number" && value === value) {
      this.#numbers[at] = value;
      return true;
    }
    const special = typeof value === "number"
      ? 0
      : (SPECIAL as unknown[]).indexOf(value);
    if (special < 0) return false;
    this.#words[at * 2] = this.#words[at * 2 + 1] = NAN_WORD + special;
    return true;
  }

  /** Worker: the results of the first `count` tasks have been told. */
  setTold(count: number): void {
    Atomics.store(this.#control, TOLD_WORD, count);
  }

  /**
   * Owner: the results that the worker, at some later task of the chunk, has
   * not told. Undefined if it tells by itself.
   */
  fetch(sequence: number): { first: number; results: unknown[] } | undefined {
    const control = this.#control;
    const { begun, ended } = progressOf(control, sequence);
    const first = Atomics.load(control, TOLD_WORD);
    if (ended || first >= begun - 1) return undefined;
    const results: unknown[] = [];
    for (let i = first; i < begun - 1; i++) results.push(this.#get(i));
    const after = progressOf(control, sequence);
    return after.begun === begun && !after.ended
      ? { first, results }
      : undefined;
  }

  #get(index: number): unknown {
    const at = index % CAPACITY;
    const number = this.#numbers[at]!;
    return number === number
      ? number
      : SPECIAL[this.#words[at * 2]! - NAN_WORD];
  }
}
