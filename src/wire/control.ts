/**
 * The words of shared memory through which a worker and its owner agree on
 * chunks without a message, so that it works while the worker is busy in
 * synchronous code.
 *
 * Every chunk sent to a worker has a sequence number (1, 2, 3, ...) and owns
 * the slot `sequence % SLOTS` of two Int32 words:
 *
 * - word 0: `sequence * 4 + state`. The owner writes OFFERED before it posts
 *   the chunk. Whoever wins the compare-and-exchange decides: the worker to
 *   TAKEN when it begins the chunk, or the owner to REVOKED when it wants the
 *   chunk back. From TAKEN the owner may set SKIP: the worker ends the task
 *   at hand and leaves the rest. As the sequence number is part of the word,
 *   a chunk whose slot has been given to a later one counts as revoked.
 * - word 1: how many tasks of the chunk have begun. Written by the worker
 *   alone, plainly: the owner reads it when the worker is gone, or as a hint.
 *
 * @module
 */

/** Chunks that a worker can hold at most. */
export const SLOTS = 1024;

const OFFERED = 0;
const TAKEN = 1;
const REVOKED = 2;
const SKIP = 3;

/** The control words of one worker. */
export type ControlBlock = Int32Array;

/** Makes the control words of one worker, on shared memory. */
export function createControl(): ControlBlock {
  return new Int32Array(new SharedArrayBuffer(SLOTS * 2 * 4));
}

function slotOf(sequence: number): number {
  return (sequence % SLOTS) * 2;
}

function word(sequence: number, state: number): number {
  return (sequence * 4 + state) | 0;
}

/** Owner: a chunk is about to be posted. */
export function offer(control: ControlBlock, sequence: number): void {
  const slot = slotOf(sequence);
  control[slot + 1] = 0;
  Atomics.store(control, slot, word(sequence, OFFERED));
}

/** Worker: begins the chunk. False when the owner has taken it back. */
export function begin(control: ControlBlock, sequence: number): boolean {
  const offered = word(sequence, OFFERED);
  const slot = slotOf(sequence);
  return Atomics.compareExchange(
    control,
    slot,
    offered,
    word(sequence, TAKEN),
  ) === offered;
}

/** Owner: takes the chunk back. False when the worker has begun it. */
export function revoke(control: ControlBlock, sequence: number): boolean {
  const offered = word(sequence, OFFERED);
  const slot = slotOf(sequence);
  return Atomics.compareExchange(
    control,
    slot,
    offered,
    word(sequence, REVOKED),
  ) === offered;
}

/** Owner: the worker shall leave what it has not begun of a taken chunk. */
export function skipRest(control: ControlBlock, sequence: number): void {
  const taken = word(sequence, TAKEN);
  Atomics.compareExchange(
    control,
    slotOf(sequence),
    taken,
    word(sequence, SKIP),
  );
}

/** Worker: whether the chunk is still wanted. */
export function isWanted(control: ControlBlock, sequence: number): boolean {
  return Atomics.load(control, slotOf(sequence)) === word(sequence, TAKEN);
}

/** Owner: whether the worker has begun the chunk. */
export function hasBegun(control: ControlBlock, sequence: number): boolean {
  const state = Atomics.load(control, slotOf(sequence));
  return state === word(sequence, TAKEN) || state === word(sequence, SKIP);
}

/** Worker: notes that `count` tasks of the chunk have begun. */
export function setBegun(
  control: ControlBlock,
  sequence: number,
  count: number,
): void {
  control[slotOf(sequence) + 1] = count;
}

/** Owner: how many tasks of the chunk have begun. */
export function begunCount(control: ControlBlock, sequence: number): number {
  return control[slotOf(sequence) + 1]!;
}
