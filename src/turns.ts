import { clock } from "./runtime/detect.ts";
import { setTimeout } from "./timers.ts";

/** How long who takes results may keep timers and messages waiting, in ms. */
const LONGEST_WAIT = 8;

/** Steps between two looks at the clock, at most. */
const MOST_STEPS = 64;

/** Steps that take less together need no look in between, in ms. */
const QUICK = 0.1;

/** Since when a timer has been waiting for the event loop, if one is. */
let waitingSince: number | undefined;
let callbacks: (() => void)[] = [];

/**
 * Whether timers and messages have waited for more than so many ms. Results may
 * keep the thread from its event loop: promises that have settled go on at
 * once, and some runtimes hand on a thousand messages of one worker before
 * those of another, as long as they keep coming.
 */
export function isTurnDue(longest: number, now: number = clock.now()): boolean {
  if (waitingSince === undefined) {
    waitingSince = now;
    setTimeout(endTurn, 0);
  }
  return now - waitingSince > longest;
}

/** Looks whether a turn is due for one of many steps, where these are quick. */
export class TurnWatch {
  #steps = 1;
  #stepsLeft = 0;
  #lastLook = 0;

  /** Steps that need no look, as none is due. */
  get stepsLeft(): number {
    return this.#stepsLeft;
  }

  /** So many steps have been taken. */
  pass(count: number): void {
    this.#stepsLeft -= count;
  }

  /** To be asked before a step. */
  isDue(): boolean {
    if (this.#stepsLeft > 0) return false;
    const now = clock.now();
    const isQuick = now - this.#lastLook < QUICK;
    this.#steps = isQuick ? Math.min(this.#steps * 2, MOST_STEPS) : 1;
    this.#stepsLeft = this.#steps;
    this.#lastLook = now;
    return isTurnDue(LONGEST_WAIT, now);
  }
}

/** Resolves to the value when timers and messages have had their turn. */
export function passAfterTurn<T>(value: T): Promise<T> {
  return new Promise((resolve) => afterTurn(() => resolve(value)));
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
