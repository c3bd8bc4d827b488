// A module of functions that workers import: see ../closures_and_imports.ts.
import { createHash } from "node:crypto";

const vowels = new Set("aeiou");

/** A fingerprint of a text. */
export function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

/** The number of vowels in a text. */
export function countVowels(text: string): number {
  return Array.from(text).filter((letter) => vowels.has(letter)).length;
}
