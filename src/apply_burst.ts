import { whenAborted } from "./abort.ts";
import type { ApplyLane } from "./apply_lane.ts";
import type { Crews, LifecycleHandles } from "./crews.ts";
import type { Caller } from "./functions/caller.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import type { Limits } from "./task_source.ts";
import type { ChunkMode } from "./wire/messages.ts";

/** What calls of `apply()` with the same options have in common. */
export interface ApplyContext {
  crews: Crews;
  handles: LifecycleHandles;
  limits: Limits;
  mode: ChunkMode;
  signal: AbortSignal | undefined;
}

/** Calls of a burst that follow each other. */
export interface CallRun {
  readonly burst: ApplyBurst;
  /** The index of the first in its burst. */
  readonly first: number;
  /** The index of its task among those of all runs of a chunk. */
  readonly start: number;
  readonly length: number;
}

/** No calls. */
const NONE: unknown[] = [];

/** The most calls in a burst. */
const MAX_CALLS = 128;

type Resolve = (value: unknown) => void;

let lastResolve: Resolve | undefined;

/** What each promise is made with: a function of its own would take longer. */
function keepResolve(resolve: Resolve): void {
  lastResolve = resolve;
}

/** A call that has a promise of its own. */
class Deferred {
  readonly promise: Promise<unknown>;
  readonly resolve: Resolve;
  /** Whether the outcome is known, and waits for workers to stop. */
  isSettled = false;

  constructor() {
    this.promise = new Promise(keepResolve);
    this.resolve = lastResolve!;
    lastResolve = undefined;
  }

  settle(outcome: unknown): void {
    // Less than a function to reject the promise would take.
    this.resolve(
      outcome instanceof Failure ? Promise.reject(outcome.error) : outcome,
    );
  }
}

/** The outcome of a call that gives no result. */
class Failure {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

// What is known of a call: one of these, a `Deferred` while it is pending, or
// its outcome until that has been passed on.
const PENDING = Symbol("pending");
const FULFILLED = Symbol("fulfilled");
const REJECTED = Symbol("rejected");

/**
 * Calls of `apply()` that are made together, of one function and in one place.
 *
 * There may be very many, and what they keep alive is what the garbage
 * collector has to move: half of what a call takes. So a call has no object
 * here but the promise that its caller gets. That is made by `then()` of a
 * gate, a promise for all of them which opens when the first is settled. As
 * promises call back in the order of `then()`, one function for all calls
 * knows whose turn it is, and gives the result. The first call, often the only
 * one, has a promise of its own, and so have those that are pending when the
 * gate opens, from then on.
 */
export class ApplyBurst {
  /** The function to run. */
  readonly handle: FunctionHandle;
  /** Where the calls were made. */
  readonly caller: Caller;
  /** Where its lane keeps it. */
  place = 0;
  readonly #context: ApplyContext;
  readonly #mayGrow: boolean;
  // A single call is what most bursts have: neither array has room for more
  // until there are more.
  /** The arguments of each call, as they travel, until it is taken. */
  #elements: unknown[] = NONE;
  #length = 0;
  /** What is known of each call; later ones are pending. */
  #states: unknown[] = NONE;
  #gate: Promise<void> | undefined;
  /** Opens the gate, once. */
  #openGate: (() => void) | undefined;
  /** What the gate calls back. */
  #pass: (() => unknown) | undefined;
  /** The call that passes next. */
  #passing = 1;
  /** The number of calls that have been taken, or left out. */
  #taken = 0;
  #settled = 0;
  #hasBegun = false;
  #lane: ApplyLane | undefined;
  #ignoreSignal: (() => void) | undefined;

  /** With `mayGrow` it takes more than one call. */
  constructor(
    context: ApplyContext,
    handle: FunctionHandle,
    caller: Caller,
    mayGrow: boolean,
  ) {
    this.#context = context;
    this.#mayGrow = mayGrow;
    this.handle = handle;
    this.caller = caller;
  }

  /** What the calls allow their tasks and their worker. */
  get limits(): Limits {
    return this.#context.limits;
  }

  /** How the tasks are run. */
  get mode(): ChunkMode {
    return this.#context.mode;
  }

  /** The number of calls. */
  get length(): number {
    return this.#length;
  }

  /** Whether calls can be added: none has been taken or settled. */
  get hasRoom(): boolean {
    return this.#mayGrow && this.#taken === 0 && this.#settled === 0 &&
      this.#length < MAX_CALLS;
  }

  /** Adds a call and returns the promise of its result. */
  add(args: readonly unknown[]): Promise<unknown> {
    const element = elementOf(args);
    if (this.#length++ === 0) {
      const deferred = new Deferred();
      this.#elements = [element];
      this.#states = [deferred];
      return deferred.promise;
    }
    this.#elements.push(element);
    this.#lane?.noteAdded();
    this.#gate ??= new Promise((resolve) => this.#openGate = resolve);
    return this.#gate.then(this.#pass ??= () => this.#passNext());
  }

  /** Starts the calls, if they have not been started. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    const { signal, crews, handles, limits } = this.#context;
    if (signal?.aborted) return this.fail(signal.reason);
    if (signal) {
      this.#ignoreSignal = whenAborted(signal, () => {
        this.fail(signal.reason);
        this.#lane?.crew.dropUnwanted();
      });
    }
    const lane = crews.enterLane(handles, limits);
    if (lane) return this.#enter(lane);
    crews.enter(handles, limits, true, (_crew, lane) => this.#enter(lane))
      ?.catch((error) => this.fail(error));
  }

  #enter(lane: ApplyLane): void {
    if (this.#settled === this.length) return;
    this.#lane = lane;
    lane.add(this);
  }

  // --- to be run ---

  /** Whether a call is left to take. */
  get hasWaiting(): boolean {
    return this.#taken < this.length;
  }

  /** Leaves out the next calls, as far as settled. Returns how many. */
  advance(): number {
    const before = this.#taken;
    while (this.hasWaiting && this.isSettled(this.#taken)) this.#moveOn();
    return this.#taken - before;
  }

  /** The arguments of the next call. */
  get nextElement(): unknown {
    return this.#elements[this.#taken];
  }

  /**
   * Takes the next call, and up to `max` in all that follow it, none of them
   * settled and none with arguments that are refused. The arguments of the
   * first are the last of `elements`; adds those of the others.
   */
  take(
    elements: unknown[],
    max: number,
    refuses: (element: unknown) => boolean,
  ): CallRun {
    const first = this.#taken;
    const start = elements.length - 1;
    const end = Math.min(first + max, this.length);
    this.#moveOn();
    while (
      this.#taken < end && !this.isSettled(this.#taken) &&
      !refuses(this.nextElement)
    ) {
      elements.push(this.nextElement);
      this.#moveOn();
    }
    return { burst: this, first, start, length: this.#taken - first };
  }

  /** The arguments of the next call are not needed here any more. */
  #moveOn(): void {
    // V8 would have to convert an array of numbers, mostly of a single one.
    if (++this.#taken === this.#length) this.#elements = NONE;
    else this.#elements[this.#taken - 1] = undefined;
  }

  // --- the outcome ---

  /** Whether the outcome of a call is known, or wanted no more. */
  isSettled(index: number): boolean {
    if (index >= this.#states.length) return false;
    const state = this.#states[index];
    return state instanceof Deferred ? state.isSettled : state !== PENDING;
  }

  /** How the promise of a call stands. */
  stateOf(index: number): "pending" | "fulfilled" | "rejected" {
    if (index >= this.#states.length) return "pending";
    const state = this.#states[index];
    if (state === PENDING || state instanceof Deferred) return "pending";
    const isFailed = state === REJECTED || state instanceof Failure;
    return isFailed ? "rejected" : "fulfilled";
  }

  /** The task of a call has given its result. */
  resolve(index: number, value: unknown): void {
    if (!this.isSettled(index)) this.#settle(index, value);
  }

  /** The same of so many calls, whose results are there from `offset` on. */
  resolveAll(
    first: number,
    count: number,
    results: ArrayLike<unknown>,
    offset: number,
  ): void {
    for (let i = 0; i < count; i++) {
      const index = first + i;
      // The first opens the gate, with the last the burst comes to its end.
      const isBetween = this.#settled > 0 && this.#settled < this.length - 1;
      if (isBetween && this.#states[index] === PENDING) {
        this.#states[index] = results[offset + i];
        this.#settled++;
      } else this.resolve(index, results[offset + i]);
    }
  }

  /** The task of a call has failed, or is wanted no more. */
  reject(index: number, error: unknown): void {
    if (!this.isSettled(index)) this.#settle(index, new Failure(error));
  }

  /** Rejects one call. False if it is settled. */
  cancel(index: number, reason: unknown): boolean {
    if (this.isSettled(index)) return false;
    this.reject(index, reason);
    this.#lane?.crew.dropUnwanted();
    return true;
  }

  /** Rejects all calls that are not settled. */
  fail(error: unknown): void {
    for (let i = 0; i < this.length; i++) this.reject(i, error);
  }

  #settle(index: number, outcome: unknown): void {
    const states = this.#states;
    while (states.length < this.length) states.push(PENDING);
    const before = states[index];
    states[index] = outcome;
    this.#settled++;
    const released = this.#release(outcome instanceof Failure);
    if (this.#openGate) {
      this.#openGate();
      this.#openGate = undefined;
    }
    if (!released) {
      if (before instanceof Deferred) this.#tell(index, before, outcome);
      return;
    }
    const deferred = before instanceof Deferred ? before : new Deferred();
    deferred.isSettled = true;
    states[index] = deferred;
    released.then(() => this.#tell(index, deferred, outcome), (error) => {
      const isFailed = outcome instanceof Failure;
      this.#tell(index, deferred, isFailed ? outcome : new Failure(error));
    });
  }

  #tell(index: number, deferred: Deferred, outcome: unknown): void {
    const isFailed = outcome instanceof Failure;
    this.#states[index] = isFailed ? REJECTED : FULFILLED;
    deferred.settle(outcome);
  }

  /** Gives the result of the call whose turn it is, or a promise of it. */
  #passNext(): unknown {
    const states = this.#states;
    const index = this.#passing++;
    const state = states[index];
    if (state === PENDING) {
      const deferred = new Deferred();
      states[index] = deferred;
      return deferred.promise;
    }
    if (state instanceof Deferred) return state.promise;
    if (state instanceof Failure) {
      states[index] = REJECTED;
      throw state.error;
    }
    states[index] = FULFILLED;
    return state;
  }

  /** Does what belongs to the end of a call. */
  #release(isFailed: boolean): Promise<void> | undefined {
    const { crews } = this.#context;
    const lane = this.#lane;
    if (this.#settled === this.length) {
      this.#ignoreSignal?.();
      if (this.handle.temporary) crews.forget(this.handle);
      lane?.drop(this);
    }
    return lane && crews.release(lane.crew, isFailed);
  }
}

/** A single argument travels as it is, if it is not taken for several. */
function elementOf(args: readonly unknown[]): unknown {
  // The caller may use the array for the next call.
  return args.length === 1 && !Array.isArray(args[0]) ? args[0] : [...args];
}
