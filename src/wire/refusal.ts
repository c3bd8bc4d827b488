import { dataCloneError } from "../errors.ts";
import { platformClass, tagOf } from "./kinds.ts";

/**
 * How messages name the value that is packed: "the result". For a list whose
 * elements have names of their own, a function that gives the name of one.
 */
export type What = string | ((index: number) => string);

/**
 * A step from a value to one inside it: a property, an element's index, or
 * "keys()" or "values()" followed by an index.
 */
export type PathStep = string | number;

/** Steps of a path that are shown. */
const MAX_STEPS = 16;

const TOO_DEEP = "is nested too deeply";

const HINTS: Record<string, string> = {
  Blob: "send its bytes",
  File: "send its bytes",
  FormData: "send an array of its entries",
  Headers: "send an array of its entries",
  Promise: "await it first",
  Request: "send its parts, such as its url",
  Response: "send its parts, such as its text",
  Temporal: "send its text",
  URL: "send its href",
  URLSearchParams: "send its text",
};

/** Thrown inside the codec: that a value cannot be sent, and why. */
export class Refusal {
  /** Goes on where "as it" or "as its property ..." ends. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** The error that says what cannot be sent, and which part of it is to blame. */
export function refusalError(
  thrown: unknown,
  what: What,
  path: readonly PathStep[],
  cause: unknown = thrown instanceof Refusal ? undefined : thrown,
): DOMException {
  let name = typeof what === "string" ? what : "the list";
  let rest = path;
  const [first] = rest;
  if (typeof what === "function" && typeof first === "number") {
    name = what(first);
    rest = rest.slice(1);
  }
  // Where it became too much says nothing.
  if (isTooDeep(thrown)) rest = [];
  const culprit = rest.length === 0 ? "it" : `its ${formatProperty(rest)}`;
  return dataCloneError(
    `Cannot send ${name} as ${culprit} ${reasonOf(thrown)}`,
    cause,
  );
}

/** "property 'a.list[2]'" */
export function formatProperty(path: readonly PathStep[]): string {
  let text = "";
  for (const step of path.slice(0, MAX_STEPS)) {
    if (typeof step === "number") text += `[${step}]`;
    else if (!/^[\p{L}_$][\p{L}\d_$]*(?:\(\))?$/u.test(step)) {
      text += `[${JSON.stringify(step)}]`;
    } else text += text === "" ? step : `.${step}`;
  }
  return `property '${text}${path.length > MAX_STEPS ? " ..." : ""}'`;
}

/** "is a function" */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof Refusal) return thrown.reason;
  return isTooDeep(thrown) ? TOO_DEEP : `cannot be read: ${preview(thrown)}`;
}

/** The refusal of a value that could not be read from a message. */
export function tooDeep(): Refusal {
  return new Refusal(TOO_DEEP);
}

/** Whether that was thrown, or the stack was too small to find out. */
export function isTooDeep(thrown: unknown): boolean {
  return thrown instanceof Refusal
    ? thrown.reason === TOO_DEEP
    : thrown instanceof RangeError && /call stack/.test(thrown.message);
}

/** The step to a property. */
export function stepOf(container: object, key: string): PathStep {
  return Array.isArray(container) && /^\d+$/.test(key) ? Number(key) : key;
}

/** The refusal of a value for what it is: "is a URL: send its href". */
export function refusalOf(value: unknown): Refusal {
  if (typeof value !== "object" || value === null) {
    return new Refusal(`is a ${typeof value}`);
  }
  const platform = platformClass(value);
  if (platform === undefined) {
    const name = classOf(value);
    return new Refusal(
      `is ${withArticle(name)} that cannot be cloned, such as a Proxy`,
    );
  }
  const hint = HINTS[platform.split(".")[0]!];
  const rest = hint === undefined ? "" : `: ${hint}`;
  return new Refusal(`is ${withArticle(platform)}${rest}`);
}

function withArticle(name: string): string {
  if (name === "Object" || name === "Array") name = name.toLowerCase();
  return `${/^[AEIOao]/.test(name) ? "an" : "a"} ${name}`;
}

function classOf(value: object): string {
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? name : tagOf(value);
}

/** A word or two for a value that cannot be sent. Never throws. */
export function preview(value: unknown): string {
  try {
    if (typeof value === "function") {
      return `[function ${value.name || "(anonymous)"}]`;
    }
    return String(value);
  } catch {
    return "[object]";
  }
}
