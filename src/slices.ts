import type { TypedArray } from "./types.ts";

/** An array that can be cut. */
export type Sliceable = TypedArray | readonly unknown[];

const typedArraySlice = Int8Array.prototype.slice as (
  this: TypedArray,
  start: number,
  end: number,
) => TypedArray;

/**
 * A part of an array, which stays as it is whatever becomes of the array. Only
 * shared memory stays shared.
 */
export function sliceOf(
  array: Sliceable,
  start: number,
  end: number,
): Sliceable {
  // Shared memory stays shared; of other memory only the slice shall travel.
  if (ArrayBuffer.isView(array) && array.buffer instanceof SharedArrayBuffer) {
    return array.subarray(start, end);
  }
  // That of a Buffer is another one, which copies nothing.
  return ArrayBuffer.isView(array)
    ? typedArraySlice.call(array, start, end)
    : array.slice(start, end);
}
