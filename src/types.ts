/**
 * The types by which task functions follow from a pool's options and from
 * the data.
 *
 * @module
 */

/** How the workers of a pool come to be. */
export type StartMethod =
  /** Each worker is a thread of this process. */
  | "threading"
  /**
   * Each worker is a process that sees what the program has put on
   * `globalThis`; binary data in shared objects is copied as it is written.
   */
  | "fork"
  /** Each worker is a fresh process. */
  | "spawn"
  /** Each worker is a process that a server process keeps ready. */
  | "forkserver"
  /** No workers: tasks run one by one in the calling thread. */
  | "serial";

/** The names of the start methods. */
export const START_METHODS: readonly StartMethod[] = [
  "threading",
  "fork",
  "spawn",
  "forkserver",
  "serial",
];

/**
 * The state of a worker, an object of its own that is empty when the worker
 * starts. Annotate the parameter of your functions with its real type.
 */
// deno-lint-ignore no-explicit-any
export type WorkerState = any;

/**
 * The parameters that come before a task's own, always in the order worker
 * ID, shared objects, worker state. Shared objects that may be `undefined`
 * may be missing.
 */
export type LeadingParameters<
  Shared,
  PassId extends boolean,
  UseState extends boolean,
> = [
  ...(PassId extends true ? [workerId: number] : []),
  ...(unknown extends Shared ? [sharedObjects: Shared]
    : [Shared] extends [undefined] ? []
    : undefined extends Shared
      ? [] | [sharedObjects: Exclude<Shared, undefined>]
    : [sharedObjects: Shared]),
  ...(UseState extends true ? [workerState: WorkerState] : []),
];

// `infer` keeps what a task takes from telling what the elements are.
/**
 * The arguments that a task gets for one element of the input: the elements
 * of an array, else the element itself; a union of both for elements that may
 * be either. Elements of unknown type may give anything.
 */
export type TaskArguments<Element> = [Element] extends [infer One]
  // deno-lint-ignore no-explicit-any
  ? unknown extends One ? any[]
  :
    | (One extends readonly [...infer Args] ? Args : never)
    | ([Exclude<One, readonly unknown[]>] extends [never] ? never
      : [Exclude<One, readonly unknown[]>])
  : never;

/** A function that runs in a worker. May be asynchronous. */
export type TaskFunction<Leading extends unknown[], Element, Result> = (
  ...args: [...Leading, ...TaskArguments<Element>]
) => Result;

/** A function that runs when a worker begins or ends. May be asynchronous. */
export type WorkerFunction<Leading extends unknown[]> = (
  ...args: Leading
) => unknown;

// The empty tuple makes TypeScript infer tuples for elements that are array
// literals, so that `[[1, "a"]]` gives a number and a string.
/** Anything whose elements become tasks; may be asynchronous. */
export type Input<Element> =
  | Iterable<Element | []>
  | AsyncIterable<Element | []>;

/** What a call does about a failed task. */
export type OnError = "throw" | "settle";

/** How a task ended, with `onError: "settle"`. */
export type Settled<Result> = PromiseSettledResult<Result>;

/** Any typed array. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;
