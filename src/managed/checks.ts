import { message } from "../check.ts";
import { isPrimitive } from "../wire/plain.ts";

/** Checks a value that is found by what it is equal to. */
export function checkPrimitive(
  action: string,
  name: string,
  value: unknown,
): void {
  if (isPrimitive(value)) return;
  throw new TypeError(
    message(
      action,
      name,
      "a primitive, as objects are copied and would never be found again",
      value,
    ),
  );
}

/** Checks what the constructors are given, if anything. */
export function checkValues(
  action: string,
  name: string,
  value: unknown,
): void {
  if (value === undefined || value === null) return;
  const { [Symbol.iterator]: iterator } = Object(value) as Iterable<unknown>;
  if (typeof iterator === "function") return;
  throw new TypeError(message(action, name, "an iterable", value));
}
