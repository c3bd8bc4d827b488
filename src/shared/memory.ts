/**
 * Memory that threads share by its buffer, and processes by a handle. Such a
 * buffer is a `SharedArrayBuffer` like any other, with a System V segment
 * laid over its memory; see README.md.
 *
 * @module
 */

import { runtime } from "../runtime/detect.ts";
import { loadNative, type Native } from "../runtime/native.ts";
import {
  createSegment,
  HEADER_BYTES,
  isSameMemory,
  type MemoryHandle,
  openSegment,
  readHandle,
} from "./segment.ts";
import { setTimeout } from "../timers.ts";

export type { MemoryHandle } from "./segment.ts";

/** A piece of shared memory. */
export interface SharedRange {
  /** The memory, which other ranges may use too. */
  buffer: SharedArrayBuffer;
  /** Where the range begins: at a multiple of 64. */
  byteOffset: number;
}

/** Small ranges share a block of this size. */
const BLOCK = 0x400000 - HEADER_BYTES;

/** Ranges from this size on have a buffer of their own. */
const OWN_BUFFER = 0x100000;

const ALIGNMENT = 64;

/** How long memory whose handle was asked for is kept for who opens it, ms. */
const PIN_TIME = 30_000;

// --- what there is ---

let usable: Native | { reason: string } | undefined;

/** The system's calls, if a first block shows that they do what they should. */
function load(): Native | { reason: string } {
  const native = loadNative();
  if ("reason" in native) return native;
  try {
    const [buffer, handle] = createSegment(native, BLOCK);
    if (!isSameMemory(buffer, openSegment(native, handle))) {
      return { reason: "memory cannot be laid over the engine's" };
    }
    handles.set(buffer, handle);
    block = { buffer, byteOffset: HEADER_BYTES };
    return native;
  } catch (error) {
    return { reason: `the system refuses: ${(error as Error).message}` };
  }
}

function nativeOrReason(): Native | { reason: string } {
  return usable ??= load();
}

function nativeIfUsable(): Native | undefined {
  const native = nativeOrReason();
  return "reason" in native ? undefined : native;
}

/** What `sharedMemory` tells. */
export interface SharedMemorySupport {
  /** Whether `sharedArray()` and the like are shared with processes too. */
  readonly available: boolean;
  /** Why not, and what would help; `undefined` if they are. */
  readonly reason: string | undefined;
}

/**
 * Whether shared arrays are the same memory in worker processes, too. Threads
 * share them always. For processes it takes Linux, and on Node 26.9 or newer
 * or the package `koffi`, on Deno the permission `--allow-ffi`.
 *
 * @example Usage
 * ```ts
 * import { sharedMemory } from "@polypool/polypool";
 *
 * if (!sharedMemory.available) console.log(sharedMemory.reason);
 * ```
 */
export const sharedMemory: SharedMemorySupport = {
  get available(): boolean {
    return nativeIfUsable() !== undefined;
  },
  get reason(): string | undefined {
    return reasonNotShared();
  },
};

/** Why processes cannot share memory, if they cannot. */
export function reasonNotShared(): string | undefined {
  const native = nativeOrReason();
  return "reason" in native
    ? `Cannot share memory with processes as ${native.reason}`
    : undefined;
}

// --- allocation ---

let block: SharedRange | undefined;

/**
 * Makes up for engines that do not count shared memory when they decide
 * whether to collect garbage: something of the same size and life. As it
 * might be resized it is made of pages, which nobody touches.
 */
const weights = new WeakMap<SharedArrayBuffer, ArrayBuffer>();

/**
 * Allocates zeros. Processes can share them where that is to be had;
 * otherwise the buffer is exactly as long as asked, and for threads only.
 * The memory is free again when nothing refers to the buffer.
 */
export function allocate(byteLength: number): SharedRange {
  const range = allocateSegment(byteLength);
  if (range) return range;
  const buffer = new SharedArrayBuffer(byteLength);
  withoutSegment.add(buffer);
  return { buffer, byteOffset: 0 };
}

/** What was allocated here for threads only. */
const withoutSegment = new WeakSet<SharedArrayBuffer>();

/** Why processes cannot share a buffer that has no handle. */
export function whyNotShared(buffer: SharedArrayBuffer): string {
  return reasonNotShared()?.replace(/^C/, "c") ??
    (withoutSegment.has(buffer)
      ? "the system had no segment for it, as it is too large or one too many"
      : "make it by sharedArray() for processes to share it");
}

function allocateSegment(byteLength: number): SharedRange | undefined {
  const native = nativeIfUsable();
  if (!native) return undefined;
  try {
    if (byteLength >= OWN_BUFFER) return newBlock(native, byteLength);
    if (!block || block.byteOffset + byteLength > block.buffer.byteLength) {
      block = newBlock(native, BLOCK);
    }
  } catch {
    // No more segments or addresses, or too large for one.
    return undefined;
  }
  const { buffer, byteOffset } = block;
  block.byteOffset += Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
  return { buffer, byteOffset };
}

function newBlock(native: Native, room: number): SharedRange {
  const [buffer, handle] = createSegment(native, room);
  handles.set(buffer, handle);
  if (!runtime.capabilities.weighsSharedMemory) {
    const { byteLength } = handle;
    weights.set(
      buffer,
      new ArrayBuffer(byteLength, { maxByteLength: byteLength }),
    );
  }
  return { buffer, byteOffset: HEADER_BYTES };
}

// --- handles ---

const handles = new WeakMap<SharedArrayBuffer, MemoryHandle>();
// Of memory that handles tell of only: as long as a job runs, nothing is
// collected to which it has made such a reference.
const buffers = new Map<string, WeakRef<SharedArrayBuffer>>();
const collected = new FinalizationRegistry<string>((id) => {
  if (!buffers.get(id)?.deref()) buffers.delete(id);
});

function remember(buffer: SharedArrayBuffer, handle: MemoryHandle): void {
  handles.set(buffer, handle);
  buffers.set(handle.id, new WeakRef(buffer));
  collected.register(buffer, handle.id);
}

/**
 * How another process finds this memory; `undefined` if it cannot. Also knows
 * memory that another thread allocated or opened.
 */
export function handleOf(buffer: SharedArrayBuffer): MemoryHandle | undefined {
  const handle = handles.get(buffer) ?? recognize(buffer);
  if (!handle) return undefined;
  if (!buffers.has(handle.id)) remember(buffer, handle);
  pin(buffer);
  return handle;
}

function recognize(buffer: SharedArrayBuffer): MemoryHandle | undefined {
  const handle = readHandle(buffer);
  const native = handle && nativeIfUsable();
  if (!native) return undefined;
  try {
    // The user may have copied a header from one buffer into another.
    if (!isSameMemory(openSegment(native, handle), buffer)) return undefined;
  } catch {
    return undefined;
  }
  handles.set(buffer, handle);
  return handle;
}

/**
 * The memory that a handle tells of. A thread that opens a handle twice gets
 * the same buffer, as long as it holds the first.
 *
 * @throws {Error} If nobody has that memory any more, or this process cannot
 * share memory.
 */
export function openMemory(handle: MemoryHandle): SharedArrayBuffer {
  const known = buffers.get(handle.id)?.deref();
  if (known) return known;
  // That it opens, with the ID in it, shows as much as a first block would;
  // and a process that only opens memory makes none.
  const native = usable ?? loadNative();
  if ("reason" in native) throw new Error(reasonNotShared());
  let buffer: SharedArrayBuffer;
  try {
    buffer = openSegment(native, handle);
  } catch (cause) {
    throw new Error(
      "Cannot open shared memory as no process has it any more",
      { cause },
    );
  }
  usable = native;
  remember(buffer, handle);
  opened.add(buffer);
  return buffer;
}

const opened = new WeakSet<SharedArrayBuffer>();

/** Whether this thread has the memory from another process. */
export function wasOpened(buffer: SharedArrayBuffer): boolean {
  return opened.has(buffer);
}

// --- pins ---

// Whose handles were asked for in this period, and in the one before it.
let pinned = new Set<SharedArrayBuffer>();
let pinnedBefore = new Set<SharedArrayBuffer>();
let isUnpinning = false;

/** The last reference may go while the handle is on its way to a process. */
function pin(buffer: SharedArrayBuffer): void {
  pinned.add(buffer);
  if (!isUnpinning) unpinLater();
}

function unpinLater(): void {
  isUnpinning = pinned.size + pinnedBefore.size > 0;
  if (!isUnpinning) return;
  const timer = setTimeout(() => {
    pinnedBefore = pinned;
    pinned = new Set();
    unpinLater();
  }, PIN_TIME);
  runtime.unrefTimer(timer);
}
