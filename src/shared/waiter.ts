import { clock } from "../runtime/detect.ts";
import { whenAborted } from "../abort.ts";
import { TimeoutError } from "../errors.ts";
import {
  checkNames,
  checkObject,
  checkSignal,
  checkTimeout,
} from "../check.ts";
import type { Cell } from "./cell.ts";
import { withResolvers } from "../promises.ts";
import { givenUpError, isGivenUp } from "./held.ts";
import { sleep, sleepAsync } from "./waiting.ts";
import { setTimeout } from "../timers.ts";

/** Options of what blocks its thread until it can go on. */
export interface SyncWaitOptions {
  /**
   * How long to wait, in milliseconds.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
}

/** Options of what waits without blocking. */
export interface AsyncWaitOptions extends SyncWaitOptions {
  /** Ends the wait, which rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** How long somebody has waited: not at all yet. */
export const NEWCOMER = 0;
/** Has slept at least once. */
export const SLEPT = 1;
/** Has slept for so long that newcomers must stand back. */
export const STARVING = 2;

/** After this time a waiter asks newcomers to stand back, in ms. */
const PATIENCE = 2;

/** How long a newcomer stands back at most, in ms. */
const STAND_BACK = 16;

/** How often to try again before others get their turn. */
const TRIES = 8;

/** Who waits, and for what. */
export interface Waiter {
  readonly cell: Cell;
  /** The word that changes when there is something new. */
  readonly index: number;
  /**
   * Tries to get what it waits for: `undefined` if it has, else the value of
   * the word by which it has seen that it cannot. Throws if it never will.
   */
  attempt(level: number): number | undefined;
  /** It may have been woken in the place of another, who must not miss it. */
  passOn(): void;
}

/** Waits, blocking the thread. False when the time is over. */
export function waitSync(waiter: Waiter, timeout: number): boolean {
  const { cell, index } = waiter;
  const start = clock.now();
  let level = NEWCOMER;
  while (true) {
    const seen = waiter.attempt(level);
    if (seen === undefined) return true;
    const waited = clock.now() - start;
    if (waited >= timeout) return tryLast(waiter);
    const left = timeout - waited;
    sleep(
      cell,
      index,
      seen,
      level === NEWCOMER ? Math.min(left, STAND_BACK) : left,
    );
    // Who cannot be stopped from outside ends here.
    if (isGivenUp()) throw givenUpError();
    level = levelAfter(start);
  }
}

/** Waits without blocking. False when the time is over. */
export async function wait(
  waiter: Waiter,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const start = clock.now();
  let level = NEWCOMER;
  let round = 0;
  let tries = 0;
  const aborted = signal && abortOf(signal);
  try {
    while (true) {
      signal?.throwIfAborted();
      const seen = waiter.attempt(level);
      if (seen === undefined) return true;
      const waited = clock.now() - start;
      if (waited >= timeout) return tryLast(waiter);
      const left = timeout - waited;
      const ms = level === NEWCOMER ? Math.min(left, STAND_BACK) : left;
      const sleep = sleepAsync(waiter.cell, waiter.index, seen, ms, round++);
      if (sleep) {
        await (aborted
          ? Promise.race([sleep.over, aborted.promise])
          : sleep.over);
        sleep.leave(() => waiter.passOn());
        if (signal?.aborted) waiter.passOn();
      } else if (++tries % TRIES === 0) {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      level = levelAfter(start);
    }
  } finally {
    aborted?.dispose();
  }
}

/** The time is over: it stands back no more, but leaves if that is no use. */
function tryLast(waiter: Waiter): boolean {
  if (waiter.attempt(SLEPT) === undefined) return true;
  waiter.passOn();
  return false;
}

function levelAfter(start: number): number {
  return clock.now() - start > PATIENCE ? STARVING : SLEPT;
}

/** Resolves when the signal aborts; to be disposed of. */
function abortOf(
  signal: AbortSignal,
): { promise: Promise<void>; dispose(): void } {
  const { promise, resolve } = withResolvers<void>();
  return { promise, dispose: whenAborted(signal, resolve) };
}

/** Checks the options of a wait that blocks. Returns the timeout. */
export function checkSyncWait(
  action: string,
  options: SyncWaitOptions | undefined,
): number {
  if (options === undefined) return Infinity;
  checkObject(action, "options", options);
  checkNames(action, options, ["timeout"]);
  return timeoutOf(action, options);
}

/** Checks the options of a wait that does not. Returns the timeout. */
export function checkAsyncWait(
  action: string,
  options: AsyncWaitOptions | undefined,
): number {
  if (options === undefined) return Infinity;
  checkObject(action, "options", options);
  checkNames(action, options, ["timeout", "signal"]);
  checkSignal(action, options.signal);
  return timeoutOf(action, options);
}

function timeoutOf(action: string, { timeout }: SyncWaitOptions): number {
  if (timeout === undefined) return Infinity;
  checkTimeout(action, "timeout", timeout);
  return timeout;
}

/** The error for a wait that took too long. */
export function waitTimeoutError(
  what: string,
  stage: "acquire" | "wait" | "put" | "get",
  timeout: number,
): TimeoutError {
  return new TimeoutError(`${what} in ${timeout} ms`, { stage, timeout });
}
