import { FixedSizer } from "./chunking.ts";
import type { TypedArray } from "./types.ts";

/** An array that can be cut. */
export type Sliceable = TypedArray | readonly unknown[];

/** The default number of slices for each worker (from MPIRE). */
const SLICES_PER_JOB = 4;

/** The sizes of slices that a call asks for. */
export interface SliceOptions {
  iterableLen?: number | undefined;
  chunkSize?: number | undefined;
  nSplits?: number | undefined;
}

/**
 * Slices of an array, each as the only argument of a task. They are cut when
 * they are asked for; their number is known.
 */
export function slices(
  array: Sliceable,
  options: SliceOptions,
  nJobs: number,
): Iterable<[Sliceable]> {
  const { iterableLen = array.length, chunkSize, nSplits } = options;
  const length = Math.min(iterableLen, array.length);
  const size = chunkSize ?? length / (nSplits ?? nJobs * SLICES_PER_JOB);
  const sizer = new FixedSizer(size);
  const ends: number[] = [];
  for (let end = 0; end < length; sizer.cut()) {
    end = Math.min(end + sizer.size, length);
    ends.push(end);
  }
  const cut = cutAt(array, ends);
  return Object.defineProperty(cut, "length", { value: ends.length });
}

function* cutAt(
  array: Sliceable,
  ends: number[],
): Generator<[Sliceable], void, void> {
  let start = 0;
  for (const end of ends) {
    yield [sliceOf(array, start, end)];
    start = end;
  }
}

const typedArraySlice = Int8Array.prototype.slice as (
  this: TypedArray,
  start: number,
  end: number,
) => TypedArray;

/**
 * A part of an array, with memory of its own that travels alone and stays as it
 * is whatever becomes of the array. Only shared memory stays shared.
 */
export function sliceOf(
  array: Sliceable,
  start: number,
  end: number,
): Sliceable {
  if (ArrayBuffer.isView(array) && array.buffer instanceof SharedArrayBuffer) {
    return array.subarray(start, end);
  }
  // That of a Buffer is another one, which copies nothing.
  if (ArrayBuffer.isView(array)) return typedArraySlice.call(array, start, end);
  // That of a class is what its constructor makes.
  const prototype: unknown = Object.getPrototypeOf(array);
  if (prototype === Array.prototype) return array.slice(start, end);
  const part: unknown[] = new Array(end - start);
  // Missing elements stay missing.
  for (let i = start; i < end; i++) if (i in array) part[i - start] = array[i];
  return part;
}
