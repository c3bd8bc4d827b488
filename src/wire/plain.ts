import { type Carrier, threadCarrier } from "./carrier.ts";
import { kindOf } from "./kinds.ts";

/** Levels of objects in one another that engines can read from a message. */
export const MAX_NESTING = 1500;

/** Nesting up to which repeated objects are not looked for. */
const MAX_DEPTH = 16;

/** Objects that may be visited before repeated ones are looked for. */
const MAX_VISITS = 100_000;

/** Arrays that are asked for properties beside their elements. */
const MAX_ASKED = 16;

/** Elements of arrays that are: engines make a list of all keys to answer. */
const MAX_ELEMENTS = 64;

// The state of the scan that is going on: one at a time, as it is synchronous.
let visits = 0;
let asked = 0;
let seen: Set<object> | undefined;
let carrier: Carrier;

/**
 * Whether messages carry the value faithfully, so that it can be sent as it is. A Proxy cannot be told; neither can a detached buffer.
 *
 * This runs over all that is sent, so it must cost little beside the clone:
 * there are no allocations, unless the value is so deep or large that it may
 * contain cycles.
 */
export function isPlain(
  value: unknown,
  by: Carrier = threadCarrier,
): boolean {
  visits = 0;
  asked = 0;
  carrier = by;
  try {
    return scan(value, 0);
  } catch {
    // A getter threw, or nesting is deeper than the stack.
    return false;
  } finally {
    seen = undefined;
  }
}

function scan(value: unknown, depth: number): boolean {
  const type = typeof value;
  return type === "object"
    ? scanObject(value as object | null, depth)
    : type !== "function" && type !== "symbol";
}

function scanObject(value: object | null, depth: number): boolean {
  if (value === null) return true;
  if (seen !== undefined) {
    if (seen.has(value)) return true;
    if (depth > MAX_NESTING) return false;
    seen.add(value);
  } else if (depth > MAX_DEPTH || ++visits > MAX_VISITS) {
    seen = new Set([value]);
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return scanProperties(value, depth + 1);
  }
  if (Array.isArray(value)) {
    return asked++ < MAX_ASKED && holdsMore(value)
      ? scanProperties(value, depth + 1)
      : scanArray(value, depth + 1);
  }
  switch (kindOf(value, prototype)) {
    case "object":
      return scanProperties(value, depth + 1);
    case "leaf":
      return carrier.carries(value);
    case "map":
      return scanAll(Map.prototype.keys.call(value), depth + 1) &&
        scanAll(Map.prototype.values.call(value), depth + 1);
    case "set":
      return scanAll(Set.prototype.values.call(value), depth + 1);
    default:
      return false;
  }
}

// Engines read the properties of a `for ... in` loop fastest. It goes through
// inherited ones too, which at worst says no where yes was right.
function scanProperties(value: object, depth: number): boolean {
  for (const key in value) {
    const property = (value as Record<string, unknown>)[key];
    const type = typeof property;
    if (
      type === "object"
        ? !scanObject(property as object | null, depth)
        : type === "function" || type === "symbol"
    ) return false;
  }
  return true;
}

function scanArray(array: unknown[], depth: number): boolean {
  if (isSparse(array)) return scanProperties(array, depth);
  const { length } = array;
  let i = 0;
  while (true) {
    // This loop on its own is what makes numbers fast.
    while (i < length && typeof array[i] === "number") i++;
    if (i >= length) return true;
    const element = array[i++];
    if (typeof element !== "string" && !scan(element, depth)) return false;
  }
}

function scanAll(values: Iterable<unknown>, depth: number): boolean {
  for (const value of values) if (!scan(value, depth)) return false;
  return true;
}

/** Whether most elements of a large array are missing. */
function isSparse(array: unknown[]): boolean {
  const { length } = array;
  if (length < 1024) return false;
  const samples = 32;
  let found = 0;
  for (let i = 0; i < samples; i++) {
    if (Math.floor(i * length / samples) in array) found++;
  }
  return found < samples / 2;
}

/** Whether the value is a primitive that can be sent. */
export function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== "object" &&
    typeof value !== "function" && typeof value !== "symbol");
}

/**
 * Whether the array has nothing but primitives that can be sent; if it is large,
 * beside its elements it may have anything.
 */
export function holdsPrimitives(array: unknown[]): boolean {
  return !isSparse(array) && array.every(isPrimitive) && !holdsMore(array);
}

/** Whether an array, unless it is large, has other keys than its elements'. */
function holdsMore(array: unknown[]): boolean {
  return array.length < MAX_ELEMENTS && !hasOnlyElements(array);
}

/** Whether the array has all of its elements and no further properties. */
export function hasOnlyElements(array: unknown[]): boolean {
  const { length } = array;
  const keys = Object.keys(array);
  return keys.length === length &&
    (length === 0 || keys[length - 1] === String(length - 1));
}

/** Whether structured clone takes the value. */
export function canClone(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
