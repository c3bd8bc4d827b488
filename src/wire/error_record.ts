import {
  BrokenBarrierError,
  LockAbandonedError,
  PoolTerminatedError,
  QueueClosedError,
  TimeoutError,
  WorkerDiedError,
} from "../errors.ts";
import { WORKER_SCRIPT } from "../runtime/boot_script.ts";

/** An own property of an error. */
export type ErrorField = [key: string, value: unknown, isEnumerable: boolean];

/**
 * An error as plain data. Structured clone keeps of an error what each runtime
 * happens to keep; of this it keeps everything.
 */
export interface ErrorRecord {
  /** The nearest class that the other side knows. */
  class: string;
  name: string;
  message: string;
  stack: string;
  fields: ErrorField[];
}

type ErrorClass = new (message: string, options: never) => Error;

const BUILT_IN_CLASSES = new Set([
  "AggregateError",
  "DOMException",
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SuppressedError",
  "SyntaxError",
  "TypeError",
  "URIError",
]);

function poolClasses(): Record<string, ErrorClass> {
  return {
    BrokenBarrierError,
    LockAbandonedError,
    PoolTerminatedError,
    QueueClosedError,
    TimeoutError,
    WorkerDiedError,
  };
}

/** Frames of a worker's own script, and of what has started that. */
const WORKER_FRAME = new RegExp(
  `\\n.*(?:${WORKER_SCRIPT}|data:text/javascript;base64,).*`,
  "g",
);

/** What is set by a class, and so is no field of its own. */
const STANDARD_KEYS = new Set(["name", "message", "stack"]);

/** Fields that classes keep out of sight. */
const HIDDEN_KEYS = ["cause", "errors", "error", "suppressed"];

/** The record of an error, its fields still missing. */
export function recordError(error: object): ErrorRecord {
  const errorClass = classOf(error);
  const message = textOf(error, "message") ?? "";
  const name = textOf(error, "name") ?? errorClass;
  const header = message === "" ? name : `${name}: ${message}`;
  const stack = withoutWorkerFrames(textOf(error, "stack") ?? header);
  return { class: errorClass, name, message, stack, fields: [] };
}

/** The frames of a worker's own script tell the user nothing. */
function withoutWorkerFrames(stack: string): string {
  return stack.replace(WORKER_FRAME, "");
}

/** The record of an error made from the message. */
export function recordMessage(message: string): ErrorRecord {
  const stack = `Error: ${message}`;
  return { class: "Error", name: "Error", message, stack, fields: [] };
}

function textOf(error: object, key: string): string | undefined {
  try {
    const value = (error as Record<string, unknown>)[key];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function classOf(error: object): string {
  try {
    for (const [name, poolClass] of Object.entries(poolClasses())) {
      if (error instanceof poolClass) return name;
    }
    // By name, as an error of another realm has classes of its own.
    for (
      let prototype = Object.getPrototypeOf(error);
      prototype !== null;
      prototype = Object.getPrototypeOf(prototype)
    ) {
      if (!Object.hasOwn(prototype, "constructor")) continue;
      const { name } = prototype.constructor;
      if (BUILT_IN_CLASSES.has(name)) return name;
    }
  } catch {
    // A Proxy may throw whenever it is touched.
  }
  return "Error";
}

/** Names of the fields of an error, and whether they are enumerable. */
export function fieldsOf(
  error: object,
  record: ErrorRecord,
): [key: string, isEnumerable: boolean][] {
  const fields: [string, boolean][] = [];
  for (const key of Object.keys(error)) {
    if (STANDARD_KEYS.has(key)) continue;
    if (record.class === "DOMException" && isPosition(error, key)) {
      continue;
    }
    fields.push([key, true]);
  }
  const { propertyIsEnumerable } = Object.prototype;
  const isHidden = (key: string) =>
    Object.hasOwn(error, key) && !propertyIsEnumerable.call(error, key);
  for (const key of HIDDEN_KEYS) if (isHidden(key)) fields.push([key, false]);
  // Where the engine has `line` and `column` already, the enumerable ones that
  // a user's class assigns do not become enumerable.
  for (const key of ["line", "column"]) {
    if (isHidden(key) && !isPosition(error, key)) {
      fields.push([key, true]);
    }
  }
  // As a getter, or Bun's ResolveMessage, has it.
  if (
    "code" in error && !Object.hasOwn(error, "code") &&
    record.class !== "DOMException"
  ) fields.push(["code", false]);
  return fields;
}

/** Whether JavaScriptCore put the property there, to say where it happened. */
function isPosition(error: object, key: string): boolean {
  if (!isJavaScriptCore()) return false;
  const value = (error as Record<string, unknown>)[key];
  const stack = textOf(error, "stack") ?? "";
  switch (key) {
    case "line":
    case "column":
      return typeof value === "number" &&
        new RegExp(`:${value}(?:\\D|$)`).test(stack);
    case "sourceURL":
      return typeof value === "string" && stack.includes(value);
    default:
      return false;
  }
}

// Asked once: a new error costs more than the rest.
let addsPosition: boolean | undefined;

function isJavaScriptCore(): boolean {
  addsPosition ??= Object.hasOwn(new Error(), "sourceURL");
  return addsPosition;
}

/**
 * A stack as Bun prints all of it: from a stack that is text, it takes frames
 * up to the first that names no function.
 */
export function printableStack(stack: string): string {
  return isJavaScriptCore()
    ? stack.replace(
      /^( +at (?:async )?)([^\s(][^(\n]*:\d+:\d+)$/gm,
      "$1<anonymous> ($2)",
    )
    : stack;
}

/** An error as recorded, its fields still missing. */
export function createError(record: ErrorRecord): Error {
  const { class: className, name, message, stack } = record;
  const error = withoutTrace(() => construct(className, name, message));
  if (error.name !== name) setHidden(error, "name", name);
  setHidden(error, "stack", printableStack(stack));
  return error;
}

/** Adds the recorded fields, whose values are errors again where they were. */
export function addFields(error: Error, record: ErrorRecord): void {
  for (const [key, value, enumerable] of record.fields) {
    Object.defineProperty(error, key, {
      value,
      enumerable,
      writable: true,
      configurable: true,
    });
  }
}

function construct(className: string, name: string, message: string): Error {
  const poolClass = poolClasses()[className];
  if (poolClass !== undefined) return new poolClass(message, {} as never);
  const builtIn = BUILT_IN_CLASSES.has(className)
    ? (globalThis as Record<string, unknown>)[className]
    : undefined;
  switch (builtIn && className) {
    case "DOMException":
      return new DOMException(message, name);
    case "AggregateError":
      return new AggregateError([], message);
    case "SuppressedError":
      return new SuppressedError(undefined, undefined, message);
    case undefined:
      return new Error(message);
    default:
      return new (builtIn as ErrorClass)(message, undefined as never);
  }
}

// A trace from here would lead into the pool, and Bun would print it.
function withoutTrace(create: () => Error): Error {
  const key = "stackTraceLimit";
  const limit: unknown = Reflect.get(Error, key);
  Reflect.set(Error, key, 0);
  try {
    return create();
  } finally {
    Reflect.set(Error, key, limit);
  }
}

function setHidden(error: Error, key: string, value: string): void {
  Object.defineProperty(error, key, {
    value,
    enumerable: false,
    writable: true,
    configurable: true,
  });
}
