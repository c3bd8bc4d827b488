import { checkSharedArray } from "../option_checks.ts";
import type { TypedArray } from "../types.ts";
import { allocate } from "./memory.ts";

/** The constructor of a typed array. */
export interface TypedArrayConstructor<A extends TypedArray> {
  /** The bytes of one element. */
  readonly BYTES_PER_ELEMENT: number;
  /** Makes an array on the buffer. */
  new (buffer: SharedArrayBuffer, byteOffset?: number, length?: number): A;
}

/**
 * Any typed array on a `SharedArrayBuffer`.
 *
 * @ts-ignore: without type parameters, before TypeScript 5.7, it is `any` */
export type SharedTypedArray =
  | Int8Array<SharedArrayBuffer>
  | Uint8Array<SharedArrayBuffer>
  | Uint8ClampedArray<SharedArrayBuffer>
  | Int16Array<SharedArrayBuffer>
  | Uint16Array<SharedArrayBuffer>
  | Int32Array<SharedArrayBuffer>
  | Uint32Array<SharedArrayBuffer>
  | Float32Array<SharedArrayBuffer>
  | Float64Array<SharedArrayBuffer>
  | BigInt64Array<SharedArrayBuffer>
  | BigUint64Array<SharedArrayBuffer>;

// Before TypeScript 5.7 `slice()` gives the very type. `SharedTypedArray` must
// not be asked instead: from 5.5 on a condition on what fails to compile is
// `any` as well.
/** A typed array of the same kind on a `SharedArrayBuffer`. */
export type Shared<A extends TypedArray> =
  (<T>() => T extends Uint8Array ? 1 : 2) extends
    (<T>() => T extends ReturnType<Uint8Array["slice"]> ? 1 : 2)
    ? A & { readonly buffer: SharedArrayBuffer }
    : Extract<SharedTypedArray, Pick<A, typeof Symbol.toStringTag>>;

/**
 * Makes a typed array on shared memory: sent to a worker, wherever it stands
 * in shared objects, arguments or results, it is the same memory there.
 * Threads share it always, processes where `sharedMemory` says so.
 *
 * Its `buffer` may be larger than the array, and hold other shared arrays:
 * make further views with the array's `byteOffset` and `length`.
 *
 * @typeParam A The type of the array.
 * @param kind The constructor, such as `Float32Array`.
 * @param content The number of elements, which will be 0, or the elements.
 * @returns The array.
 * @throws {TypeError} If `kind` is no typed array's constructor, or `content`
 * neither a number nor iterable.
 * @throws {RangeError} If the number is negative, fractional or too large.
 *
 * @example Usage
 * ```ts
 * import { sharedArray, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const squares = sharedArray(Float64Array, 3);
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: squares });
 * await pool.map(
 *   (squares, i: number, x: number) => {
 *     squares[i] = x * x;
 *   },
 *   [5, 6, 7].entries(),
 * );
 * assertEquals([...squares], [25, 36, 49]);
 * ```
 */
export function sharedArray<A extends TypedArray>(
  kind: TypedArrayConstructor<A>,
  content: number | Iterable<A[number]>,
): Shared<A> {
  checkSharedArray(kind, content);
  const elements = typeof content === "number"
    ? undefined
    : Array.isArray(content) || ArrayBuffer.isView(content)
    ? content as unknown as ArrayLike<A[number]>
    : [...content];
  const length = elements ? elements.length : content as number;
  const { buffer, byteOffset } = allocate(length * kind.BYTES_PER_ELEMENT);
  const array = new kind(buffer, byteOffset, length);
  if (elements) array.set(elements as never);
  return array as unknown as Shared<A>;
}
