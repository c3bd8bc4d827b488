import type { Carrier } from "./carrier.ts";
import { canClone } from "./copy.ts";
import {
  explainCloneFailure,
  pack,
  type Packed,
  unpack,
  type What,
} from "./values.ts";

/**
 * The elements of a list as structured clone carries them: numbers in a buffer
 * that is transferred, others as they are or packed together.
 */
export type ListPayload = Float64Array | readonly unknown[] | Packed;

/** Fewer numbers than these travel faster in a plain array. */
const MIN_NUMBERS = 64;

/**
 * Makes of a list what can be sent. Throws a DataCloneError when an element
 * cannot.
 *
 * @param isFresh Whether a `Float64Array` is nobody else's, to be given away.
 */
export function packList(
  elements: ArrayLike<unknown>,
  isFresh: boolean = false,
  carrier?: Carrier,
): { payload: ListPayload; transfer: ArrayBuffer[] } {
  const numbers = isFresh && isWhole(elements)
    ? elements
    : copyNumbers(elements);
  if (numbers !== undefined) {
    return { payload: numbers, transfer: [numbers.buffer] };
  }
  const array = Array.isArray(elements) ? elements : Array.from(elements);
  const packed = pack(array, (index) => `element ${index}`, carrier);
  // Few lists hold errors: the others do without a wrapper.
  const payload = packed.records ? packed : packed.value as unknown[];
  return { payload, transfer: [] };
}

/** The list that has been packed. */
export function unpackList(payload: ListPayload): ArrayLike<unknown> {
  return Array.isArray(payload) || ArrayBuffer.isView(payload)
    ? payload as ArrayLike<unknown>
    : unpack(payload as Packed) as unknown[];
}

/** An element that can be sent, or why it cannot. */
export type PackedEach = { packed: Packed } | { error: Error };

/**
 * Packs each element on its own, and makes sure that it can be cloned: to find
 * out which of them keep a list from being sent.
 */
export function packEach(
  elements: ArrayLike<unknown>,
  what: (index: number) => What,
  carrier?: Carrier,
): PackedEach[] {
  return Array.from(elements, (element, index) => {
    try {
      const packed = pack(element, what(index), carrier);
      return canClone(packed.value)
        ? { packed }
        : { error: explainCloneFailure(element, what(index)) };
    } catch (error) {
      return { error: error as Error };
    }
  });
}

// A part of a buffer, or shared memory, cannot be given away.
function isWhole(
  elements: ArrayLike<unknown>,
): elements is Float64Array<ArrayBuffer> {
  return elements instanceof Float64Array &&
    elements.buffer instanceof ArrayBuffer &&
    elements.byteLength === elements.buffer.byteLength;
}

/** The elements in an array of their own, if they are many and all numbers. */
function copyNumbers(
  elements: ArrayLike<unknown>,
): Float64Array<ArrayBuffer> | undefined {
  const { length } = elements;
  if (length < MIN_NUMBERS || typeof elements[0] !== "number") return undefined;
  if (ArrayBuffer.isView(elements)) {
    return new Float64Array(elements as unknown as ArrayLike<number>);
  }
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const element = elements[i];
    if (typeof element !== "number") return undefined;
    numbers[i] = element;
  }
  return numbers;
}
