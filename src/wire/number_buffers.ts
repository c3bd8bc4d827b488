/**
 * The memory in which numbers travel. It goes out with elements, comes back
 * with results and goes out again: new memory for each list would cost more
 * than what is done with its numbers.
 *
 * @module
 */

/** Buffers that are kept at most. */
const MAX_SPARE = 16;

/** The largest buffer that is kept, in bytes. */
const MAX_BYTES = 1 << 18;

const spare: ArrayBuffer[] = [];

/** The size of the buffer for so many numbers: lists differ a little. */
function bytesFor(length: number): number {
  return Math.ceil(length / 64) * 512;
}

/** An array for so many numbers, in a buffer that may be somewhat larger. */
export function takeNumbers(length: number): Float64Array<ArrayBuffer> {
  const bytes = bytesFor(length);
  const last = spare.pop();
  const buffer = last?.byteLength === bytes ? last : new ArrayBuffer(bytes);
  return new Float64Array(buffer, 0, length);
}

/** Numbers that came in a message of their own are needed no more. */
export function giveNumbers(numbers: Float64Array): void {
  const { buffer, byteOffset, length } = numbers;
  const bytes = bytesFor(length);
  // With nothing else in the buffer, it is nobody else's.
  if (byteOffset !== 0 || buffer.byteLength !== bytes) return;
  if (bytes > MAX_BYTES || spare.length === MAX_SPARE) return;
  spare.push(buffer as ArrayBuffer);
}
