/**
 * Brief values in shared memory: primitives, and small arrays and plain
 * objects of such. Reading and writing them costs a fraction of a structured
 * clone, and neither needs the other side's event loop.
 *
 * A value takes one entry, followed by those of what it holds: a tag and a
 * number, which is the value itself, or the length. Seven entries are a group of
 * 64 bytes, the tags first: what is mostly sent lies in one cache line, together
 * with some bytes before it. To get a line from another core takes 0.1 us. The
 * characters of strings are in a place of their own.
 *
 * @module
 */

import { hasOnlyElements } from "./plain.ts";

/** Entries in a group, before which their tags are. */
const GROUP = 7;

/** Groups that there is room for, each of 64 bytes. */
const GROUPS = 14;

/** Characters, of all strings together, that there is room for. */
const CHARACTERS = 768;

/** The memory that it takes, a multiple of 8. */
export const BRIEF_BYTES: number = GROUPS * 64 + CHARACTERS * 2;

/** How deep arrays and objects may be in one another. */
const MAX_DEPTH = 4;

const NUMBER = 0;
const STRING = 1;
const ARRAY = 2;
const OBJECT = 3;
/** From here on, a tag is a constant. */
const CONSTANT = 4;
const CONSTANTS: readonly unknown[] = [undefined, null, false, true];

/** Reads and writes brief values, one after the other. */
export class BriefValues {
  readonly #numbers: Float64Array;
  readonly #characters: Uint16Array;
  readonly #tags: Uint8Array;
  #entry = 0;
  #character = 0;
  /** What has been written: an object that comes twice is one to a clone. */
  readonly #seen: object[] = [];

  /** Uses so much memory from there, which must be a multiple of 8. */
  constructor(buffer: ArrayBufferLike, byteOffset: number) {
    this.#numbers = new Float64Array(buffer, byteOffset, GROUPS * 8);
    this.#tags = new Uint8Array(buffer, byteOffset, GROUPS * 64);
    const characters = byteOffset + GROUPS * 64;
    this.#characters = new Uint16Array(buffer, characters, CHARACTERS);
  }

  /** Begins again at the first value, to write or to read. */
  rewind(): void {
    this.#entry = 0;
    this.#character = 0;
    // Engines take their time for it where there is nothing to do.
    if (this.#seen.length > 0) this.#seen.length = 0;
  }

  /**
   * Writes the next value. False if it is not brief, cannot be read, or there
   * is no more room: then nobody may read, and nothing is kept of it.
   */
  write(value: unknown): boolean {
    try {
      if (this.#write(value, 0)) return true;
    } catch {
      // A getter has thrown: a message tells what.
    }
    this.rewind();
    return false;
  }

  /** Reads the next value. */
  read(): unknown {
    const entry = this.#entry;
    this.#entry = after(entry);
    const number = this.#numbers[entry + 1]!;
    const tag = this.#tags[tagAt(entry)]!;
    switch (tag) {
      case NUMBER:
        return number;
      case STRING:
        return this.#readString(number);
      case ARRAY: {
        const array: unknown[] = [];
        for (let i = 0; i < number; i++) array.push(this.read());
        return array;
      }
      case OBJECT: {
        const object: Record<string, unknown> = {};
        for (let i = 0; i < number; i++) {
          object[this.read() as string] = this.read();
        }
        return object;
      }
      default:
        return CONSTANTS[tag - CONSTANT];
    }
  }

  #write(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case "number":
        return this.#put(NUMBER, value);
      case "string":
        return this.#writeString(value);
      case "object":
        return value === null
          ? this.#put(CONSTANT + 1, 0)
          : this.#writeObject(value, depth + 1);
      case "undefined":
      case "boolean":
        return this.#put(
          CONSTANT + (value === undefined ? 0 : value ? 3 : 2),
          0,
        );
      default:
        return false;
    }
  }

  #put(tag: number, number: number): boolean {
    const entry = this.#entry;
    if (entry >= GROUPS * 8) return false;
    this.#entry = after(entry);
    this.#tags[tagAt(entry)] = tag;
    this.#numbers[entry + 1] = number;
    return true;
  }

  #writeString(text: string): boolean {
    const { length } = text;
    const start = this.#character;
    if (start + length > CHARACTERS) return false;
    for (let i = 0; i < length; i++) {
      this.#characters[start + i] = text.charCodeAt(i);
    }
    this.#character += length;
    return this.#put(STRING, length);
  }

  #readString(length: number): string {
    const start = this.#character;
    this.#character += length;
    return String.fromCharCode(
      ...this.#characters.subarray(start, this.#character),
    );
  }

  #writeObject(value: object, depth: number): boolean {
    if (depth > MAX_DEPTH || this.#seen.includes(value)) return false;
    const isArray = Array.isArray(value);
    // The keys of a large array would take far longer than its clone.
    const mayBeBrief = isArray
      ? value.length < GROUPS * GROUP
      : Object.getPrototypeOf(value) === Object.prototype;
    if (!mayBeBrief) return false;
    this.#seen.push(value);
    if (isArray) {
      const { length } = value;
      // Missing elements and further properties are for clones.
      if (!hasOnlyElements(value)) return false;
      if (!this.#put(ARRAY, length)) return false;
      for (let i = 0; i < length; i++) {
        if (!this.#write(value[i], depth)) return false;
      }
      return true;
    }
    const keys = Object.keys(value);
    if (!this.#put(OBJECT, keys.length)) return false;
    return keys.every((key) =>
      key !== "__proto__" && this.#writeString(key) &&
      this.#write((value as Record<string, unknown>)[key], depth)
    );
  }
}

/** The entry after this one. The tags of a group take the room of an eighth. */
function after(entry: number): number {
  return (entry & 7) === GROUP - 1 ? entry + 2 : entry + 1;
}

/** Where the tag of an entry is, in bytes. */
function tagAt(entry: number): number {
  return (entry & ~7) * 8 + (entry & 7);
}
