/**
 * The words of shared memory through which a worker and its owner agree on
 * chunks without a message, so that it works while the worker is busy in
 * synchronous code.
 *
 * Every chunk sent to a worker has a sequence number, a higher one than those
 * before it, and owns the slot `sequence % SLOTS` of two Int32 words:
 *
 * - word 0: `sequence * 4 + state`. The owner writes OFFERED before it posts
 *   the chunk. Whoever wins the compare-and-exchange decides: the worker to
 *   TAKEN when it begins the chunk, or the owner to REVOKED when it wants the
 *   chunk back. From TAKEN the owner may set SKIP: the worker ends the task
 *   at hand and leaves the rest. As the sequence number is part of the word,
 *   a chunk whose slot has been given to a later one counts as revoked.
 * - word 1: twice the number of tasks of the chunk that have begun, plus one
 *   when the chunk has ended. Written by the worker alone, once it has the chunk.
 *
 * A single task may be TAKEN, and begun, when it is sent. A worker that cannot
 * run it at once makes it OFFERED.
 *
 * A worker that is about to begin a task writes word 1 and then looks at
 * word 0; an owner that skips the rest writes word 0 and then looks at word
 * 1. Both are sequentially consistent, so that one of them sees the other: a
 * task that the owner does not count as begun does not run. Where the whole
 * call fails with one of its tasks, that need not be exact.
 *
 * @module
 */

import { COUNTERS, type Counters } from "../insights/counters.ts";
import { HELD_WORDS } from "../shared/held.ts";
import { allocate } from "../shared/memory.ts";
import { MAILBOX_WORDS, wholeLines } from "./mailbox.ts";

/** Results that can be put down and not told. */
export const UNTOLD_CAPACITY = 1024;

/** Chunks that a worker can hold at most. */
export const SLOTS = 1024;

/** The word after all slots: what the worker is at, if not at a task. */
const PHASE_WORD = SLOTS * 2;

/** The tasks of the chunk at hand whose results have been told. */
export const TOLD_WORD: number = PHASE_WORD + 1;

/** Where the results that have not been told begin: see untold.ts. */
export const RESULTS_OFFSET: number = (TOLD_WORD + 1) * 4;

/** Where counters begin, each of two words: at a multiple of 8 bytes. */
const COUNTERS_WORD = RESULTS_OFFSET / 4 + UNTOLD_CAPACITY * 2;

/** Behind them: the locks that the worker may hold, see held.ts. */
const FIRST_HELD_WORD = COUNTERS_WORD + COUNTERS * 2;

/** Behind them: two mailboxes, see hot_line.ts, in cache lines of their own. */
export const HOT_LINE_WORD: number = wholeLines(FIRST_HELD_WORD + HELD_WORDS);

/** The number of words. */
const WORDS = HOT_LINE_WORD + 2 * MAILBOX_WORDS;

/** The phase of a worker that runs tasks, or nothing. */
export const RUNNING = 0;
/** The phase of a worker that looks for the function of a chunk. */
export const FINDING = 1;
/** The phase of a worker that runs its init function. */
export const INITIALISING = 2;

/** The phase of a worker that runs its exit function. */
export const LEAVING = 3;

const OFFERED = 0;
const TAKEN = 1;
const REVOKED = 2;
const SKIP = 3;

/** The control words of one worker. */
export type ControlBlock = Int32Array;

/** Makes the control words of one worker, on shared memory. */
export function createControl(): ControlBlock {
  return new Int32Array(new SharedArrayBuffer(WORDS * 4));
}

/** Makes them on memory that processes share. */
export function createSharedControl(): ControlBlock {
  const { buffer, byteOffset } = allocate(WORDS * 4);
  return new Int32Array(buffer, byteOffset, WORDS);
}

/** What the worker counts. */
export function countersOf({ buffer, byteOffset }: ControlBlock): Counters {
  return new Float64Array(buffer, byteOffset + COUNTERS_WORD * 4, COUNTERS);
}

/** What the worker may hold. */
export function heldWords(control: ControlBlock): Int32Array {
  return control.subarray(FIRST_HELD_WORD, FIRST_HELD_WORD + HELD_WORDS);
}

function slotOf(sequence: number): number {
  return (sequence % SLOTS) * 2;
}

function word(sequence: number, state: number): number {
  return (sequence * 4 + state) | 0;
}

/**
 * Owner: a chunk is about to be posted. Whatever way it goes makes the worker
 * see what was written before.
 */
export function offer(control: ControlBlock, sequence: number): void {
  const slot = slotOf(sequence);
  control[slot + 1] = 0;
  control[slot] = word(sequence, OFFERED);
}

/**
 * Owner: as `offer()`, of a single task that counts as begun from now on. A
 * worker that begins it at once need not write anything: no word then goes from
 * one core to another.
 */
export function give(control: ControlBlock, sequence: number): void {
  const slot = slotOf(sequence);
  control[slot + 1] = 2;
  control[slot] = word(sequence, TAKEN);
}

/**
 * Worker: begins the chunk. False when the owner has taken it back. One that was
 * given, and that the owner wants no more, begins, as its end is waited for.
 */
export function begin(control: ControlBlock, sequence: number): boolean {
  const offered = word(sequence, OFFERED);
  const taken = word(sequence, TAKEN);
  const slot = slotOf(sequence);
  const before = Atomics.compareExchange(control, slot, offered, taken);
  return before === offered || before === taken ||
    before === word(sequence, SKIP);
}

/** Worker: a chunk that was given does not begin yet: it counts as offered. */
export function handBack(control: ControlBlock, sequence: number): void {
  const slot = slotOf(sequence);
  Atomics.store(control, slot + 1, 0);
  Atomics.compareExchange(
    control,
    slot,
    word(sequence, TAKEN),
    word(sequence, OFFERED),
  );
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

/** Owner: the worker shall not begin the chunk, nor what is left of it. */
export function withdraw(control: ControlBlock, sequence: number): void {
  if (!revoke(control, sequence)) skipRest(control, sequence);
}

/** Worker: its owner, who does not see the words, has told it to do so. */
export function leaveRest(control: ControlBlock, sequence: number): void {
  Atomics.compareExchange(
    control,
    slotOf(sequence),
    word(sequence, OFFERED),
    word(sequence, SKIP),
  );
  skipRest(control, sequence);
}

/**
 * Worker: begins the task at `index`. False when the chunk is wanted no
 * more, and the task must not run.
 */
export function beginTask(
  control: ControlBlock,
  sequence: number,
  index: number,
): boolean {
  const slot = slotOf(sequence);
  Atomics.store(control, slot + 1, (index + 1) * 2);
  if (Atomics.load(control, slot) === word(sequence, TAKEN)) return true;
  Atomics.store(control, slot + 1, index * 2);
  return false;
}

/**
 * Worker: as `beginTask()`, at a third of the cost, where an owner that skips
 * the rest need not know exactly which tasks have begun.
 */
export function beginTaskLoosely(
  control: ControlBlock,
  sequence: number,
  index: number,
): boolean {
  const slot = slotOf(sequence);
  control[slot + 1] = (index + 1) * 2;
  if (Atomics.load(control, slot) === word(sequence, TAKEN)) return true;
  control[slot + 1] = index * 2;
  return false;
}

/**
 * Worker: as `beginTaskLoosely()`, at a tenth of the cost. The engine decides
 * when it sees what the owner writes, so that one of the others must be called
 * now and then.
 */
export function beginTaskQuickly(
  control: ControlBlock,
  sequence: number,
  index: number,
): boolean {
  const slot = slotOf(sequence);
  control[slot + 1] = (index + 1) * 2;
  if (control[slot] === word(sequence, TAKEN)) return true;
  control[slot + 1] = index * 2;
  return false;
}

/** Owner: so many tasks have begun, as the worker has told by a message. */
export function setBegun(
  control: ControlBlock,
  sequence: number,
  begun: number,
): void {
  Atomics.store(control, slotOf(sequence) + 1, begun * 2);
}

/** Worker: the chunk has ended, and none of its tasks runs any more. */
export function endTasks(control: ControlBlock, sequence: number): void {
  Atomics.or(control, slotOf(sequence) + 1, 1);
}

/** Worker: what it is at. */
export function setPhase(control: ControlBlock, phase: number): void {
  Atomics.store(control, PHASE_WORD, phase);
}

/** Owner: what the worker is at. */
export function phaseOf(control: ControlBlock): number {
  return Atomics.load(control, PHASE_WORD);
}

/** Owner: whether the worker has begun the chunk. */
export function hasBegun(control: ControlBlock, sequence: number): boolean {
  const state = Atomics.load(control, slotOf(sequence));
  return state === word(sequence, TAKEN) || state === word(sequence, SKIP);
}

/** Owner: how many tasks of the chunk have begun. */
export function begunOf(control: ControlBlock, sequence: number): number {
  return hasBegun(control, sequence) ? progressOf(control, sequence).begun : 0;
}

/** Owner: whether the worker is at a task of the chunk. */
export function isAtTask(control: ControlBlock, sequence: number): boolean {
  if (!hasBegun(control, sequence)) return false;
  const { begun, ended } = progressOf(control, sequence);
  return begun > 0 && !ended;
}

/**
 * Owner: how far a chunk that the worker has begun is: the number of tasks
 * that have begun, and whether the last of them is over. Changes with every
 * task.
 */
export function progressOf(
  control: ControlBlock,
  sequence: number,
): { begun: number; ended: boolean } {
  const word = Atomics.load(control, slotOf(sequence) + 1);
  return { begun: word >> 1, ended: (word & 1) === 1 };
}
