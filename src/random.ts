/**
 * Random numbers that tell things apart and keep no secret: Node takes 10 ms,
 * at the start of a program and of each worker, to load `crypto`.
 *
 * @module
 */

/** So many random words of 32 bits. */
export function randomWords(count: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(count).map(() => Math.random() * 2 ** 32);
}

/** Words as hexadecimal digits, eight for each. */
export function formatWords(words: Iterable<number>): string {
  return [...words].map((word) => word.toString(16).padStart(8, "0")).join("");
}

/** A name that no other thing has: 32 hexadecimal digits. */
export function randomName(): string {
  return formatWords(randomWords(4));
}
