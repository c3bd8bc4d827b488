import { clock } from "./clock.ts";

/** How long the thread may keep timers and messages waiting, in ms. */
const LONGEST_WAIT = 8;

// Whoever replaces the timers to test his own code shall not stop ours.
const { setTimeout } = globalThis;

/** Since when a timer has been waiting for the event loop, if one is. */
let waitingSince: number | undefined;
let callbacks: (() => void)[] = [];

/**
 * Whether timers and messages have waited for long. Results may keep the
 * thread from its event loop: promises that have settled go on at once, and
 * some runtimes hand on a thousand messages of one worker before those of
 * another, as long as they keep coming.
 */
export function isTurnDue(): boolean {
  const now = clock.now();
  if (waitingSince === undefined) {
    waitingSince = now;
    setTimeout(endTurn, 0);
  }
  return now - waitingSince > LONGEST_WAIT;
}

/** Calls back when timers and messages have had the turn that is due. */
export function afterTurn(callback: () => void): void {
  callbacks.push(callback);
}

function endTurn(): void {
  waitingSince = undefined;
  const due = callbacks;
  callbacks = [];
  for (const callback of due) callback();
}
