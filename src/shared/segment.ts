import { formatWords, randomWords } from "../random.ts";
import type { Native } from "../runtime/native.ts";

/**
 * How another process finds a piece of memory. Plain data, good as long as
 * some process has the memory.
 */
export interface MemoryHandle {
  /** The ID of the System V segment. */
  readonly segment: number;
  /** 32 hexadecimal digits by which it is recognized. */
  readonly id: string;
  /** Its size. */
  readonly byteLength: number;
}

// A segment says which it is, to whoever holds it, in words of four bytes:
// magic, version, segment, spare, ID (4), length, probe. The 64 bytes before
// are nobody's: where a process frees its memory, Bun writes into the first.
const HEADER_AT = 64;
const HEADER_WORDS = 10;
const SEGMENT = 2;
const ID = 4;
/** The words of an ID. */
export const ID_WORDS = 4;
const LENGTH = 8;
const PROBE = 9;
const MAGIC = [0x796c6f70, 1];

/** The bytes at the start of each segment that are not for use. */
export const HEADER_BYTES = 128;

/** The unit of WebAssembly memories, and the most that one can have of it. */
const PAGE = 0x10000;
const MAX_PAGES = 0x10000;

/**
 * Shared memory of the engine's own, for a segment to be laid over. Of all
 * shared memory only WebAssembly's begins at a page. As it could grow to
 * 4 GiB, it has addresses to itself, which are unmapped when it is collected,
 * and the segment with them. (Bun takes a memory that cannot grow from its
 * heap, and would give it back there with the segment still on it.)
 */
function reserve(byteLength: number): SharedArrayBuffer {
  const { buffer } = new WebAssembly.Memory({
    initial: byteLength / PAGE,
    maximum: MAX_PAGES,
    shared: true,
  });
  return buffer as unknown as SharedArrayBuffer;
}

function headerOf(buffer: SharedArrayBuffer): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(buffer, HEADER_AT, HEADER_WORDS);
}

/** Makes a segment with room for so many bytes and the header. */
export function createSegment(
  native: Native,
  room: number,
): [buffer: SharedArrayBuffer, handle: MemoryHandle] {
  const byteLength = Math.ceil((HEADER_BYTES + room) / PAGE) * PAGE;
  const buffer = reserve(byteLength);
  const segment = native.createSegment(byteLength, native.addressOf(buffer));
  const id = randomWords(ID_WORDS);
  const words = headerOf(buffer);
  words.set(MAGIC);
  words[SEGMENT] = segment;
  words.set(id, ID);
  words[LENGTH] = byteLength / PAGE;
  return [buffer, { segment, id: formatWords(id), byteLength }];
}

/** Lays a segment that exists over new memory of this process. */
export function openSegment(
  native: Native,
  handle: MemoryHandle,
): SharedArrayBuffer {
  const { segment, byteLength } = handle;
  const buffer = reserve(byteLength);
  const address = native.addressOf(buffer);
  native.attachSegment(segment, byteLength, address);
  if (readHandle(buffer)?.id !== handle.id) {
    throw new Error("the segment is another by now");
  }
  return buffer;
}

/** What the header says, if there is one. */
export function readHandle(
  buffer: SharedArrayBuffer,
): MemoryHandle | undefined {
  const { byteLength } = buffer;
  if (byteLength === 0 || byteLength % PAGE !== 0) return undefined;
  const words = headerOf(buffer);
  if (!MAGIC.every((word, index) => words[index] === word)) return undefined;
  if (words[LENGTH] !== byteLength / PAGE) return undefined;
  const id = formatWords(words.subarray(ID, ID + ID_WORDS));
  return { segment: words[SEGMENT]!, id, byteLength };
}

/**
 * Whether the two are one memory, and not one a copy of the other: what is
 * written to the one must be seen in the other.
 */
export function isSameMemory(
  one: SharedArrayBuffer,
  other: SharedArrayBuffer,
): boolean {
  const written = headerOf(one);
  const seen = headerOf(other);
  // Others may be at the same: then the next try tells.
  for (let attempt = 0; attempt < 5; attempt++) {
    const [value] = randomWords(ID_WORDS);
    Atomics.store(written, PROBE, value!);
    if (Atomics.load(seen, PROBE) === value) return true;
  }
  return false;
}
