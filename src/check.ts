/**
 * Checks of single values. A message names the action, the option, the rule
 * and the value.
 *
 * @module
 */

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

/** The message for a value that breaks a rule. */
export function message(
  action: string,
  option: string,
  rule: string,
  value: unknown,
): string {
  return `Cannot ${action} as '${option}' must be ${rule}: ` +
    `current value is ${show(value)}`;
}

/** Checks that an option, if given, is an integer of at least `min`. */
export function checkInteger(
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
export function checkDuration(
  action: string,
  option: string,
  value: unknown,
): void {
  if (value === undefined) return;
  const rule = "a number of milliseconds above 0";
  if (typeof value !== "number") {
    throw new TypeError(message(action, option, rule, value));
  }
  if (!(value > 0)) throw new RangeError(message(action, option, rule, value));
}

/** Checks a boolean, if given. */
export function checkBoolean(
  action: string,
  option: string,
  value: unknown,
): void {
  if (value === undefined || typeof value === "boolean") return;
  throw new TypeError(message(action, option, "a boolean", value));
}

/** Checks a string, if given. */
export function checkString(
  action: string,
  option: string,
  value: unknown,
): void {
  if (value === undefined || typeof value === "string") return;
  throw new TypeError(message(action, option, "a string", value));
}

/** Checks that a value, if given, is one of some names. */
export function checkOneOf(
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
  const isObject = typeof value === "object" && value !== null;
  if (isObject && !Array.isArray(value)) return;
  throw new TypeError(message(action, option, "an object", value));
}

/** An unknown name is most often a misspelt option, which must not be lost. */
export function checkNames(
  action: string,
  options: object,
  known: readonly string[],
  prefix = "",
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const value = show((options as Record<string, unknown>)[name]);
    throw new RangeError(
      `Cannot ${action} as the option '${prefix}${name}' is unknown, unlike ` +
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

/** Checks an AbortSignal, if given. */
export function checkSignal(action: string, signal: unknown): void {
  if (signal === undefined) return;
  const { aborted, addEventListener, removeEventListener } = Object(
    signal,
  ) as Partial<AbortSignal>;
  if (
    typeof aborted === "boolean" && typeof addEventListener === "function" &&
    typeof removeEventListener === "function"
  ) return;
  throw new TypeError(message(action, "signal", "an AbortSignal", signal));
}
