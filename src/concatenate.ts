import { type Sliceable, sliceOf } from "./slices.ts";
import type { TypedArray } from "./types.ts";

/**
 * Joins what the tasks returned: typed arrays of one kind to one of that
 * kind, arrays to one array. Of nothing it makes an empty one like `array`.
 */
export function concatenate(parts: unknown[], array: Sliceable): unknown {
  if (parts.length === 0) return sliceOf(array, 0, 0);
  const [first] = parts;
  if (ArrayBuffer.isView(first) && "length" in first) {
    return concatenateTyped(parts, first as TypedArray);
  }
  for (const part of parts) {
    if (!Array.isArray(part)) throw mismatch(part);
  }
  const arrays = parts as unknown[][];
  const flat = arrays.flat();
  const length = arrays.reduce((sum, part) => sum + part.length, 0);
  return flat.length === length ? flat : joinSparse(arrays);
}

/** `flat()` leaves missing elements out. */
function joinSparse(parts: unknown[][]): unknown[] {
  const whole: unknown[] = [];
  for (const part of parts) {
    const start = whole.length;
    part.forEach((element, i) => whole[start + i] = element);
    whole.length = start + part.length;
  }
  return whole;
}

function concatenateTyped(parts: unknown[], first: TypedArray): TypedArray {
  // A Buffer's own constructor is another one.
  const Kind = first instanceof Uint8Array
    ? Uint8Array
    : first.constructor as new (length: number) => TypedArray;
  let length = 0;
  for (const part of parts) {
    if (!(part instanceof Kind)) throw mismatch(part);
    length += part.length;
  }
  const whole = new Kind(length);
  let position = 0;
  for (const part of parts as TypedArray[]) {
    whole.set(part as never, position);
    position += part.length;
  }
  return whole;
}

function mismatch(part: unknown): TypeError {
  return new TypeError(
    `Cannot concatenate the results as each task must return an array, or ` +
      `each a typed array of the same kind: one returned ` +
      `${Object.prototype.toString.call(part)}. Set 'concatenateOutput' to ` +
      `false to get them one by one`,
  );
}
