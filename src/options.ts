/**
 * Every option: its type, its default and its check.
 *
 * @module
 */

import { lengthOf } from "./chunking.ts";
import type { StartMethod, WorkerFunction } from "./types.ts";

/** Times that functions may take, in milliseconds above 0. */
export interface TimeoutOptions {
  /**
   * The time that a task may take, from its start on. A worker that takes
   * longer is stopped and replaced.
   */
  taskTimeout?: number;
  /** The time that `workerInit` may take. */
  workerInitTimeout?: number;
  /** The time that `workerExit` may take. */
  workerExitTimeout?: number;
}

/** Options of a `WorkerPool`. */
export interface WorkerPoolOptions<
  Shared = undefined,
  PassId extends boolean = false,
  UseState extends boolean = false,
  Leading extends unknown[] = unknown[],
> extends TimeoutOptions {
  /**
   * The number of workers, at least 1. May exceed the number of CPUs.
   *
   * @default {cpuCount()}
   */
  nJobs?: number;
  /**
   * How workers come to be.
   *
   * @default {"threading"}
   */
  startMethod?: StartMethod;
  /**
   * What all tasks need: sent once to each worker, as an argument of every
   * task. Passed unless `undefined`.
   */
  sharedObjects?: Shared;
  /**
   * Whether functions get the ID of their worker, 0 ... `nJobs - 1`. A
   * restarted worker keeps its ID.
   *
   * @default {false}
   */
  passWorkerId?: PassId;
  /**
   * Whether functions get an object that is private to their worker, and
   * empty when the worker starts.
   *
   * @default {false}
   */
  useWorkerState?: UseState;
  /**
   * Whether workers stay between calls. Idle workers use no CPU and let the
   * program end.
   *
   * @default {true}
   */
  keepAlive?: boolean;
  /**
   * Whether chunk `i` of a call goes to worker `i % nJobs`.
   *
   * @default {false}
   */
  orderTasks?: boolean;
  /**
   * Whether workers measure where their time goes, see `getInsights()`.
   *
   * @default {false}
   */
  enableInsights?: boolean;
  /** Runs in each worker right before its first task. */
  workerInit?: WorkerFunction<Leading>;
  /**
   * Runs in each worker that had a task, when it stops in an orderly way.
   * See `getExitResults()` for what it returns.
   */
  workerExit?: WorkerFunction<Leading>;
  /**
   * Tasks after which a worker is replaced by a fresh one, looked at between
   * chunks.
   */
  workerLifespan?: number;
  /**
   * The time after which idle workers stop, in milliseconds. The next call
   * starts them again.
   */
  idleTimeout?: number;
  /**
   * Modules that each worker imports when it starts: URLs, or specifiers as
   * the module would import them that makes the pool.
   */
  preload?: readonly (string | URL)[];
}

/** Options of `apply()` and `applyAsync()`. */
export interface ApplyOptions<Leading extends unknown[] = unknown[]>
  extends TimeoutOptions {
  /** Runs in each worker right before its first task. */
  workerInit?: WorkerFunction<Leading>;
  /** Runs in each worker that had a task, when it stops in an orderly way. */
  workerExit?: WorkerFunction<Leading>;
  /** Cancels the call when it aborts. */
  signal?: AbortSignal;
  /** An object whose properties the function sees as free variables. */
  closure?: object;
}

/** Options of the map family. */
export interface MapOptions<
  OnError extends "throw" | "settle" = "throw",
  Leading extends unknown[] = unknown[],
> extends ApplyOptions<Leading> {
  /**
   * The number of tasks: longer input is cut there.
   *
   * @default {args.length ?? args.size}
   */
  iterableLen?: number;
  /**
   * Tasks that are sent to a worker at once, at least 1; may be fractional.
   * Without it, and with unknown length, chunks adapt to take about 2 ms.
   *
   * @default {iterableLen / nSplits}
   */
  chunkSize?: number;
  /**
   * The number of chunks, used when there is no `chunkSize`.
   *
   * @default {nJobs * 64}
   */
  nSplits?: number;
  /**
   * The most tasks that have been sent and whose results have not arrived
   * (`imap`: not been taken). Input is read no further.
   *
   * @default {nJobs * Math.max(Math.ceil(chunkSize), concurrency) * 2}
   */
  maxTasksActive?: number;
  /**
   * `"settle"`: a failed task costs only its own result, and results are as
   * from `Promise.allSettled()`.
   *
   * @default {"throw"}
   */
  onError?: OnError;
  /**
   * Asynchronous tasks that one worker runs at the same time.
   *
   * @default {1}
   */
  concurrency?: number;
  /** Tasks after which a worker is replaced by a fresh one. */
  workerLifespan?: number;
}

/** Options of `mapChunks()`. */
export interface MapChunksOptions<
  Concatenate extends boolean = true,
  Leading extends unknown[] = unknown[],
> extends Omit<MapOptions<"throw", Leading>, "onError"> {
  /**
   * Whether the results are joined into one array.
   *
   * @default {true}
   */
  concatenateOutput?: Concatenate;
}

/** Describes a value in an error message. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name}`.trim();
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) {
    return Object.prototype.toString.call(value);
  }
  return String(value);
}

function message(
  action: string,
  option: string,
  rule: string,
  value: unknown,
): string {
  return `Cannot ${action} as '${option}' must be ${rule}: ` +
    `current value is ${show(value)}`;
}

/** Checks that an option, if given, is an integer of at least `min`. */
function checkInteger(
  action: string,
  option: string,
  value: unknown,
  min: number,
): void {
  if (value === undefined) return;
  const rule = min === 0 ? "a non-negative integer" : "a positive integer";
  if (typeof value !== "number") {
    throw new TypeError(message(action, option, rule, value));
  }
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RangeError(message(action, option, rule, value));
  }
}

/** Checks a time in milliseconds, which may be infinite. */
export function checkTimeout(
  action: string,
  option: string,
  value: unknown,
): void {
  const rule = "a number of milliseconds of at least 0";
  if (typeof value !== "number") {
    throw new TypeError(message(action, option, rule, value));
  }
  if (!(value >= 0)) throw new RangeError(message(action, option, rule, value));
}

/** Checks a time in milliseconds that must be above 0, if given. */
function checkDuration(action: string, option: string, value: unknown): void {
  if (value === undefined) return;
  const rule = "a number of milliseconds above 0";
  if (typeof value !== "number") {
    throw new TypeError(message(action, option, rule, value));
  }
  if (!(value > 0)) throw new RangeError(message(action, option, rule, value));
}

function checkTimeouts(action: string, options: TimeoutOptions): void {
  for (const name of TIMEOUTS) checkDuration(action, name, options[name]);
}

function checkBoolean(action: string, option: string, value: unknown): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new TypeError(message(action, option, "a boolean", value));
}

function checkOneOf(
  action: string,
  option: string,
  value: unknown,
  allowed: readonly string[],
): void {
  if (value === undefined) return;
  const rule = `one of ${allowed.map((name) => `"${name}"`).join(", ")}`;
  if (typeof value !== "string") {
    throw new TypeError(message(action, option, rule, value));
  }
  if (!allowed.includes(value)) {
    throw new RangeError(message(action, option, rule, value));
  }
}

/** Checks that a value is an object. */
export function checkObject(
  action: string,
  option: string,
  value: unknown,
): void {
  if (typeof value === "object" && value !== null) return;
  throw new TypeError(message(action, option, "an object", value));
}

/** An unknown name is most often a misspelt option, which must not be lost. */
function checkNames(
  action: string,
  options: object,
  known: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const value = show((options as Record<string, unknown>)[name]);
    throw new RangeError(
      `Cannot ${action} as the option '${name}' is unknown, unlike ` +
        `${known.join(", ")}: current value is ${value}`,
    );
  }
}

/** Whether the value is iterable, and how: true means asynchronously. */
export function checkIterable(
  action: string,
  name: string,
  value: unknown,
): boolean {
  const iterable = value as
    & Partial<Iterable<unknown>>
    & Partial<AsyncIterable<unknown>>;
  if (value !== null && value !== undefined) {
    if (typeof iterable[Symbol.asyncIterator] === "function") return true;
    if (typeof iterable[Symbol.iterator] === "function") return false;
  }
  throw new TypeError(
    message(action, name, "an iterable or an asynchronous iterable", value),
  );
}

/** Checks the arguments of a task. */
export function checkArguments(action: string, args: unknown): void {
  if (Array.isArray(args)) return;
  throw new TypeError(message(action, "args", "an array of arguments", args));
}

/** Checks what `mapChunks()` is to cut. */
export function checkSliceable(action: string, array: unknown): void {
  if (Array.isArray(array)) return;
  if (ArrayBuffer.isView(array) && "length" in array) return;
  throw new TypeError(
    message(action, "array", "an array or a typed array", array),
  );
}

/** Names of start methods. */
export const START_METHODS: readonly StartMethod[] = ["threading", "serial"];

const TIMEOUTS = [
  "taskTimeout",
  "workerInitTimeout",
  "workerExitTimeout",
] as const;

const POOL_OPTIONS = [
  "nJobs",
  "startMethod",
  "sharedObjects",
  "passWorkerId",
  "useWorkerState",
  "keepAlive",
  "orderTasks",
  "enableInsights",
  "workerInit",
  "workerExit",
  "workerLifespan",
  ...TIMEOUTS,
  "idleTimeout",
  "preload",
];

/** Checks the options of a pool. */
export function checkPoolOptions(options: unknown): void {
  const action = "create a WorkerPool";
  checkObject(action, "options", options);
  const given = options as WorkerPoolOptions<unknown, boolean, boolean>;
  checkNames(action, given, POOL_OPTIONS);
  checkInteger(action, "nJobs", given.nJobs, 1);
  checkOneOf(action, "startMethod", given.startMethod, START_METHODS);
  checkFlag("passWorkerId", given.passWorkerId, action);
  checkFlag("useWorkerState", given.useWorkerState, action);
  checkFlag("keepAlive", given.keepAlive, action);
  checkFlag("orderTasks", given.orderTasks, action);
  checkFlag("enableInsights", given.enableInsights, action);
  checkInteger(action, "workerLifespan", given.workerLifespan, 1);
  checkDuration(action, "idleTimeout", given.idleTimeout);
  checkTimeouts(action, given);
  checkPreload(action, given.preload);
}

function checkPreload(action: string, preload: unknown): void {
  if (preload === undefined) return;
  const isSpecifier = (entry: unknown) =>
    typeof entry === "string" || entry instanceof URL;
  if (Array.isArray(preload) && preload.every(isSpecifier)) return;
  const rule = "an array of module specifiers or URLs";
  throw new TypeError(message(action, "preload", rule, preload));
}

/** Checks a boolean option of a pool, or of one of its setters. */
export function checkFlag(
  option: string,
  value: unknown,
  action = `set '${option}'`,
): void {
  checkBoolean(action, option, value);
}

function checkSignal(action: string, signal: unknown): void {
  if (signal === undefined) return;
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>;
  if (typeof aborted === "boolean" && typeof addEventListener === "function") {
    return;
  }
  throw new TypeError(message(action, "signal", "an AbortSignal", signal));
}

const APPLY_OPTIONS = [
  "workerInit",
  "workerExit",
  "signal",
  "closure",
  ...TIMEOUTS,
];

const CHUNKING_OPTIONS = ["iterableLen", "chunkSize", "nSplits"];

const MAP_OPTIONS = [
  ...APPLY_OPTIONS,
  ...CHUNKING_OPTIONS,
  "maxTasksActive",
  "onError",
  "concurrency",
  "workerLifespan",
];

const MAP_CHUNKS_OPTIONS = [
  ...MAP_OPTIONS.filter((name) => name !== "onError"),
  "concatenateOutput",
];

/** Checks the options of `apply()` and its like. */
export function checkApplyOptions(action: string, options: unknown): void {
  checkObject(action, "options", options);
  checkNames(action, options as object, APPLY_OPTIONS);
  checkSignal(action, (options as ApplyOptions).signal);
  checkTimeouts(action, options as ApplyOptions);
}

/** Checks the options of the map family. */
export function checkMapOptions(action: string, options: unknown): void {
  checkObject(action, "options", options);
  checkNames(action, options as object, MAP_OPTIONS);
  checkMapValues(action, options as MapOptions<"throw" | "settle">);
  checkOneOf(action, "onError", (options as MapOptions).onError, [
    "throw",
    "settle",
  ]);
}

/** Checks the options of `mapChunks()`. */
export function checkMapChunksOptions(action: string, options: unknown): void {
  checkObject(action, "options", options);
  checkNames(action, options as object, MAP_CHUNKS_OPTIONS);
  checkMapValues(action, options as MapOptions);
  checkBoolean(
    action,
    "concatenateOutput",
    (options as MapChunksOptions<boolean>).concatenateOutput,
  );
}

function checkMapValues(
  action: string,
  options: MapOptions<"throw" | "settle">,
): void {
  checkSizes(action, options);
  checkInteger(action, "maxTasksActive", options.maxTasksActive, 1);
  checkInteger(action, "concurrency", options.concurrency, 1);
  checkInteger(action, "workerLifespan", options.workerLifespan, 1);
  checkTimeouts(action, options);
  checkSignal(action, options.signal);
}

function checkSizes(
  action: string,
  options: { iterableLen?: unknown; chunkSize?: unknown; nSplits?: unknown },
): void {
  const { iterableLen, chunkSize, nSplits } = options;
  checkInteger(action, "iterableLen", iterableLen, 0);
  checkInteger(action, "nSplits", nSplits, 1);
  if (chunkSize === undefined) return;
  const rule = "a finite number of at least 1";
  if (typeof chunkSize !== "number") {
    throw new TypeError(message(action, "chunkSize", rule, chunkSize));
  }
  if (!Number.isFinite(chunkSize) || chunkSize < 1) {
    throw new RangeError(message(action, "chunkSize", rule, chunkSize));
  }
}

/** Checks the arguments of `chunkTasks()`: whether to read asynchronously. */
export function checkChunking(iterable: unknown, options: unknown): boolean {
  const action = "chunk tasks";
  const isAsync = checkIterable(action, "iterable", iterable);
  checkObject(action, "options", options);
  checkNames(action, options as object, CHUNKING_OPTIONS);
  const { iterableLen, chunkSize, nSplits } = options as Record<
    string,
    unknown
  >;
  checkSizes(action, { iterableLen, chunkSize, nSplits });
  if (chunkSize !== undefined) return isAsync;
  if (nSplits === undefined) {
    throw new TypeError(
      `Cannot ${action} as one of 'chunkSize' and 'nSplits' must be given: ` +
        `current value is undefined`,
    );
  }
  if (iterableLen === undefined && lengthOf(iterable as object) === undefined) {
    throw new TypeError(
      `Cannot ${action} as 'nSplits' needs a known length: ` +
        `give 'iterableLen' or 'chunkSize'`,
    );
  }
  return isAsync;
}

/** Checks the arguments of `sharedArray()`. */
export function checkSharedArray(kind: unknown, content: unknown): void {
  const action = "create a shared array";
  const isKind = typeof kind === "function" &&
    ArrayBuffer.isView(kind.prototype) === false &&
    Object.getPrototypeOf(kind) === Object.getPrototypeOf(Int8Array);
  if (!isKind) {
    throw new TypeError(
      message(action, "kind", "the constructor of a typed array", kind),
    );
  }
  if (typeof content === "number") {
    checkInteger(action, "content", content, 0);
  } else if (
    typeof content !== "object" || content === null ||
    typeof (content as Partial<Iterable<unknown>>)[Symbol.iterator] !==
      "function"
  ) {
    throw new TypeError(
      message(action, "content", "a number or an iterable", content),
    );
  }
}
