import { clock } from "../runtime/detect.ts";
import { BRIEF_BYTES, BriefValues } from "./brief.ts";

// The words of a mailbox.
const STATE = 0;
/** How many messages the sender has given to the port. */
const POSTED = 1;
/** Whether the sender says that it is worth to look for more. */
const PROMISED = 2;
/**
 * The least that leaves the values at a multiple of 8 bytes: what is mostly sent
 * lies in the same cache line, and comes with the word that tells of it.
 */
const HEADER_WORDS = 4;

/** So many words, rounded up to whole cache lines. */
export function wholeLines(words: number): number {
  return Math.ceil(words / 16) * 16;
}

// The states. At first it is closed.
const CLOSED = 0;
/** Has been filled; what it holds may have been taken out since. */
const FULL = 1;
// While it is open, there are four times as many states: to these is added how
// many posted messages the receiver had when it opened the box, times 4.
const OPEN = 2;
/** Open, and the receiver sleeps. */
const SLEEPING = 3;

/** How a thread sleeps on a word of shared memory, and how it is woken. */
export interface Sleeper {
  /** Sleeps for up to so many ms, as long as the word is `expected`. */
  sleep(words: Int32Array, index: number, expected: number, ms: number): void;
  /** Wakes who sleeps on the word. */
  wake(words: Int32Array, index: number): void;
}

/** The memory of a mailbox, in words: whole cache lines. */
export const MAILBOX_WORDS: number = wholeLines(
  HEADER_WORDS + BRIEF_BYTES / 4,
);

/** Looks between two at the clock. */
const LOOKS = 32;

/** Looks between two pauses, each of which takes longer than a look. */
const LOOKS_A_PAUSE = 4;

/** Makes room for the other thread of a core, where the engine can. */
const pause = (Atomics as { pause?: () => void }).pause ?? (() => {});

/**
 * One direction of a way beside a port, by shared memory: for brief messages
 * to a thread that stays awake to look for them. A message through the port
 * takes an event loop at each end, and the system to wake the other.
 *
 * Nothing is lost: the box is open while the receiver has promised to look.
 * Either the sender wins the compare-and-exchange that fills it, or the
 * receiver the one that closes it; then the message goes through the port.
 * Nothing is overtaken: both count what goes through the port, and the box can
 * be filled only when all of that had been received before it was opened.
 */
export class Mailbox {
  readonly #words: Int32Array;
  /** Made when it is first needed: most workers start without. */
  #brief: BriefValues | undefined;
  /** What this side has sent, or received, through the port. */
  #count = 0;
  #hasPromised = false;
  /** Whether what was put in may not have been taken out. */
  #isFull = false;
  #isOpen = false;
  #hasSlept = false;
  readonly #sleeper: Sleeper;

  /** Uses {@linkcode MAILBOX_WORDS} of these words, at a multiple of 8 bytes. */
  constructor(words: Int32Array, first: number, sleeper: Sleeper) {
    this.#sleeper = sleeper;
    const { buffer, byteOffset } = words;
    const start = byteOffset + first * 4;
    this.#words = new Int32Array(buffer, start, HEADER_WORDS);
  }

  /** What is or will be in it, from the first value on. */
  #rewound(): BriefValues {
    if (this.#brief) this.#brief.rewind();
    else {
      const { buffer, byteOffset, byteLength } = this.#words;
      this.#brief = new BriefValues(buffer, byteOffset + byteLength);
    }
    return this.#brief;
  }

  // --- sender ---

  /**
   * Gives a message to the port. It counts from before: the receiver may have
   * it before `post()` returns.
   */
  post(post: () => void): void {
    Atomics.store(this.#words, POSTED, this.#count = next(this.#count, 1));
    const state = Atomics.load(this.#words, STATE);
    if ((state & 3) === SLEEPING) this.#wake(state, CLOSED);
    try {
      post();
    } catch (error) {
      Atomics.store(this.#words, POSTED, this.#count = next(this.#count, -1));
      throw error;
    }
  }

  /** Says whether more follows so soon that it is worth to look for it. */
  promise(more: boolean): void {
    // The receiver looks at words beside it: a write would hold up both.
    if (more === this.#hasPromised) return;
    this.#hasPromised = more;
    this.#words[PROMISED] = more ? 1 : 0;
  }

  /**
   * Where to write a message, unless it must be posted. Says so for sure only
   * if it `takesLong` to write; else `send()` does.
   */
  begin(takesLong: boolean): BriefValues | undefined {
    if (takesLong || this.#isFull) {
      const state = Atomics.load(this.#words, STATE);
      const isOpen = state === openState(OPEN, this.#count) ||
        state === openState(SLEEPING, this.#count);
      if (!isOpen) return undefined;
    }
    return this.#rewound();
  }

  /** Sends what has been written. False if it must be posted, after all. */
  send(): boolean {
    // A look before would fetch the words from the receiver's core once more.
    const open = openState(OPEN, this.#count);
    const state = Atomics.compareExchange(this.#words, STATE, open, FULL);
    this.#isFull = state === open ||
      state === openState(SLEEPING, this.#count) && this.#wake(state, FULL);
    return this.#isFull;
  }

  /** The receiver has answered what was put in. */
  noteAnswered(): void {
    this.#isFull = false;
  }

  /** Wakes the receiver, if it still sleeps. Returns whether it did. */
  #wake(asleep: number, state: number): boolean {
    const words = this.#words;
    const before = Atomics.compareExchange(words, STATE, asleep, state);
    if (before !== asleep) return false;
    this.#sleeper.wake(words, STATE);
    return true;
  }

  // --- receiver ---

  /** A message has come through the port. */
  noteSeen(): void {
    this.#count = next(this.#count, 1);
  }

  /** Whether the sender says that more follows. */
  get isPromised(): boolean {
    return this.#words[PROMISED] === 1;
  }

  /** Whether it has been opened, so that `receive()` must follow. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether `receive()` fell asleep the last time. */
  get hasSlept(): boolean {
    return this.#hasSlept;
  }

  /**
   * Lets the sender put something in, as this side will look for it soon. The
   * sender sees it with what this side sends next, by whatever way.
   */
  open(): void {
    this.#isOpen = true;
    // An atomic store would wait here for the line, another 0.1 us.
    this.#words[STATE] = openState(OPEN, this.#count);
  }

  /**
   * Looks, if it is open, for what is or will be put in; nothing else can be
   * put in then. Blocks the thread, unless something comes: stays awake for so
   * many ms, and then sleeps. Returns what was put in, to be read before it is
   * opened again.
   */
  receive(awake: number, asleep: number): BriefValues | undefined {
    if (!this.#isOpen) return undefined;
    this.#isOpen = false;
    this.#hasSlept = false;
    const words = this.#words;
    const open = openState(OPEN, this.#count);
    let deadline: number | undefined;
    let looks = 0;
    let state: number;
    while ((state = Atomics.load(words, STATE)) === open) {
      if (Atomics.load(words, POSTED) !== this.#count) break;
      if (++looks % LOOKS > 0) {
        if (looks % LOOKS_A_PAUSE === 0) pause();
        continue;
      }
      // Most messages come before the clock has been read at all.
      const now = clock.now();
      deadline ??= now + awake;
      if (now >= deadline) this.#sleep(asleep);
    }
    if (state !== FULL) {
      state = Atomics.compareExchange(words, STATE, open, CLOSED);
      if (state !== FULL) return undefined;
    }
    return this.#rewound();
  }

  /** Leaves the core to others, of whom one may be the sender. */
  #sleep(ms: number): void {
    const words = this.#words;
    const open = openState(OPEN, this.#count);
    const asleep = openState(SLEEPING, this.#count);
    this.#hasSlept = true;
    if (Atomics.compareExchange(words, STATE, open, asleep) !== open) return;
    if (ms > 0 && Atomics.load(words, POSTED) === this.#count) {
      this.#sleeper.sleep(words, STATE, asleep, ms);
    }
    Atomics.compareExchange(words, STATE, asleep, CLOSED);
  }
}

/** The count that follows, as a word holds it. */
function next(count: number, step: 1 | -1): number {
  return (count + step) | 0;
}

/** The state of an open box whose receiver has had so many posted messages. */
function openState(state: number, count: number): number {
  return (count << 2) | state;
}
