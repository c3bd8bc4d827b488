/**
 * The checks of what the verbs and the pool are given. All throw a TypeError
 * for a wrong type and a RangeError for a wrong value, before anything starts.
 *
 * @module
 */

import {
  checkBoolean,
  checkDuration,
  checkInteger,
  checkIterable,
  checkNames,
  checkObject,
  checkOneOf,
  checkSignal,
  message,
} from "./check.ts";
import { lengthOf } from "./chunking.ts";
import type {
  ApplyOptions,
  MapChunksOptions,
  MapOptions,
  TimeoutOptions,
  WorkerPoolOptions,
} from "./options.ts";
import {
  checkProgressBarOptions,
  PROGRESS_BAR_STYLES,
} from "./progress/options.ts";
import { type OnError, START_METHODS } from "./types.ts";

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
  "cpuIds",
  "memoryLimit",
];

function checkTimeouts(action: string, options: TimeoutOptions): void {
  for (const name of TIMEOUTS) checkDuration(action, name, options[name]);
}

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
  checkInteger(action, "memoryLimit", given.memoryLimit, 1);
  checkTimeouts(action, given);
  checkPreload(action, given.preload);
}

function checkPreload(action: string, preload: unknown): void {
  if (preload === undefined) return;
  const isSpecifier = (entry: unknown) =>
    typeof entry === "string" || entry instanceof URL;
  if (Array.isArray(preload) && preload.every(isSpecifier)) return;
  const rule = "an array of module specifiers or URLs";
  const wrong = Array.isArray(preload)
    ? preload.find((entry) => !isSpecifier(entry))
    : preload;
  throw new TypeError(message(action, "preload", rule, wrong));
}

/** Checks a boolean option of a pool, or of one of its setters. */
export function checkFlag(
  option: string,
  value: unknown,
  action = `set '${option}'`,
): void {
  checkBoolean(action, option, value);
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
  "progressBar",
  "progressBarOptions",
  "progressBarStyle",
  "onProgress",
  ...CHUNKING_OPTIONS,
  "maxTasksActive",
  "onError",
  "concurrency",
  "workerLifespan",
];

const MAP_CHUNKS_OPTIONS = [...MAP_OPTIONS, "concatenateOutput"];

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
  checkMapValues(action, options as MapOptions<OnError>);
}

/** Checks the options of `mapChunks()`. */
export function checkMapChunksOptions(action: string, options: unknown): void {
  checkObject(action, "options", options);
  checkNames(action, options as object, MAP_CHUNKS_OPTIONS);
  const given = options as MapChunksOptions<boolean, OnError>;
  checkMapValues(action, given);
  checkBoolean(action, "concatenateOutput", given.concatenateOutput);
}

function checkMapValues(
  action: string,
  options: MapOptions<OnError>,
): void {
  checkSizes(action, options);
  checkInteger(action, "maxTasksActive", options.maxTasksActive, 1);
  checkInteger(action, "concurrency", options.concurrency, 1);
  checkInteger(action, "workerLifespan", options.workerLifespan, 1);
  checkTimeouts(action, options);
  checkSignal(action, options.signal);
  checkOneOf(action, "onError", options.onError, ["throw", "settle"]);
  checkProgress(action, options);
}

function checkProgress(
  action: string,
  options: MapOptions<OnError>,
): void {
  const { progressBar, progressBarOptions, progressBarStyle, onProgress } =
    options;
  checkBoolean(action, "progressBar", progressBar);
  if (progressBarOptions !== undefined) {
    checkProgressBarOptions(action, progressBarOptions);
  }
  checkOneOf(action, "progressBarStyle", progressBarStyle, PROGRESS_BAR_STYLES);
  if (onProgress === undefined || typeof onProgress === "function") return;
  throw new TypeError(message(action, "onProgress", "a function", onProgress));
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
