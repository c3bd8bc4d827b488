import { type Carrier, threadCarrier } from "./carrier.ts";
import { type Columns, packColumns, unpackColumns } from "./columns.ts";
import { takeMarked } from "./transfer.ts";
import { takeNumbers } from "./number_buffers.ts";
import { pack, type Packed, unpack } from "./values.ts";

/**
 * The elements of a list as structured clone carries them: numbers in a buffer
 * that is transferred, records in columns, others as they are or packed
 * together.
 */
export type ListPayload = Float64Array | Columns | readonly unknown[] | Packed;

/** Fewer numbers than these travel faster in a plain array. */
const MIN_NUMBERS = 64;

/**
 * Makes of a list what can be sent. Throws a DataCloneError when an element
 * cannot.
 *
 * @param isFresh Whether a `Float64Array` may be given away, with the buffer
 * that it begins.
 */
export function packList(
  elements: ArrayLike<unknown>,
  isFresh: boolean = false,
  carrier: Carrier = threadCarrier,
): { payload: ListPayload; transfer: ArrayBuffer[] } {
  const numbers = isFresh && ownsBuffer(elements)
    ? elements
    : copyNumbers(elements, carrier);
  if (numbers !== undefined) {
    return { payload: numbers, transfer: [numbers.buffer] };
  }
  const columns = columnsOf(elements);
  if (columns !== undefined) return { payload: columns, transfer: [] };
  const array = Array.isArray(elements) ? elements : Array.from(elements);
  const packed = pack(array, (index) => `element ${index}`, carrier);
  // Few lists hold errors: the others do without a wrapper.
  const payload = packed.records ? packed : packed.value as unknown[];
  const moved = carrier?.transfers === false ? [] : takeMarked(array);
  // Ports and streams go the way of buffers.
  return { payload, transfer: moved as ArrayBuffer[] };
}

/** The list that has been packed. */
export function unpackList(payload: ListPayload): ArrayLike<unknown> {
  if (Array.isArray(payload) || ArrayBuffer.isView(payload)) {
    return payload as ArrayLike<unknown>;
  }
  return "columns" in payload
    ? unpackColumns(payload)
    : unpack(payload as Packed) as unknown[];
}

/** The number of elements in a list that cannot be unpacked. */
export function lengthOf(payload: ListPayload): number {
  // Only a wrapper has what may be gone.
  return "records" in payload ? (payload.value as unknown[]).length : 0;
}

function columnsOf(elements: ArrayLike<unknown>): Columns | undefined {
  try {
    return packColumns(elements);
  } catch {
    // A getter has thrown, and will again for who tells which.
    return undefined;
  }
}

// Shared memory cannot be given away.
function ownsBuffer(
  elements: ArrayLike<unknown>,
): elements is Float64Array<ArrayBuffer> {
  return elements instanceof Float64Array &&
    elements.buffer instanceof ArrayBuffer && elements.byteOffset === 0;
}

/** The elements in an array of their own, if they are many and all numbers. */
function copyNumbers(
  elements: ArrayLike<unknown>,
  { transfers }: Carrier,
): Float64Array<ArrayBuffer> | undefined {
  const { length } = elements;
  if (length < MIN_NUMBERS || typeof elements[0] !== "number") return undefined;
  // What is copied shall have no more than it needs.
  const numbers = transfers ? takeNumbers(length) : new Float64Array(length);
  if (ArrayBuffer.isView(elements)) {
    numbers.set(elements as unknown as ArrayLike<number>);
    return numbers;
  }
  for (let i = 0; i < length; i++) {
    const element = elements[i];
    if (typeof element !== "number") return undefined;
    numbers[i] = element;
  }
  return numbers;
}
