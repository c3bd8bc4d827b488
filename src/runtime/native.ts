/**
 * Memory and signals between processes, which no runtime offers by itself:
 * the few calls of Linux that it takes. Loaded when first asked for.
 *
 * @module
 */

import { runtime } from "./detect.ts";
import { bunLibc, isBunOnLinux } from "./libc_bun.ts";
import { denoLibc, isDenoOnLinux } from "./libc_deno.ts";
import {
  isNodeOnLinux,
  nodeLibc,
  nodeModulePath,
  useNodeModulePath,
} from "./libc_node.ts";
import { linux } from "./linux.ts";

/**
 * How a wait ended: by a wake-up, because the value was another already, or
 * because the time was over. A wake-up may be a false one.
 */
export type FutexResult = "woken" | "changed" | "timedOut";

/** What the system can do. All throw an `Error` where it refuses. */
export interface Native {
  /** The address of a buffer's first byte. */
  addressOf(buffer: ArrayBufferLike): number;
  /**
   * Makes a segment of zeros, lays it over the memory at `address`, and has
   * it vanish with the last process that has it. Returns its ID.
   */
  createSegment(byteLength: number, address: number): number;
  /** Lays a segment, if it still exists in this size, over memory. */
  attachSegment(segment: number, byteLength: number, address: number): void;
  /** Makes a file that has no name. Returns its descriptor. */
  createFile(byteLength: number): number;
  /** Opens a file for reading. Returns its descriptor. */
  openFile(path: string): number;
  /** The path by which other processes find what this one has open. */
  pathOf(file: number): string;
  /** Closes a descriptor. */
  closeFile(file: number): void;
  /** Writes a buffer into a file. */
  writeFile(file: number, offset: number, buffer: ArrayBufferLike): void;
  /** Reads the next bytes of a file into a buffer. */
  readFile(file: number, offset: number, buffer: ArrayBuffer): void;
  /**
   * A buffer on part of a file, at a multiple of 64 KiB: pages are copied as
   * they are written. It stays mapped as long as the process lives.
   */
  mapPrivate(file: number, offset: number, byteLength: number): ArrayBuffer;
  /**
   * Blocks this thread while the element is `expected`, until another thread
   * or process wakes it by `futexWake()`, or `ms` have passed. It knows
   * nothing of `Atomics.wait()` and `Atomics.notify()`.
   */
  futexWait(
    array: Int32Array,
    index: number,
    expected: number,
    ms: number,
  ): FutexResult;
  /**
   * The same without blocking, where the runtime can. It takes a thread of
   * the runtime's own while it waits (of four on Node), so keep `ms` short.
   */
  futexWaitAsync?:
    | ((
      array: Int32Array,
      index: number,
      expected: number,
      ms: number,
    ) => Promise<FutexResult>)
    | undefined;
  /** Wakes up to `count` that wait. Returns how many it woke. */
  futexWake(array: Int32Array, index: number, count: number): number;
  /**
   * Has the system kill this process when the thread that started it ends.
   * That may have happened already: look at the parent's ID afterwards.
   */
  dieWithParent(): void;
}

const libcs = { node: nodeLibc, deno: denoLibc, bun: bunLibc };
const checks = {
  node: isNodeOnLinux,
  deno: isDenoOnLinux,
  bun: isBunOnLinux,
};

let loaded: Native | { reason: string } | undefined;

/**
 * The system's calls, or the reason why they are not to be had: a clause
 * such as "it needs the permission --allow-ffi". Loads them once a thread.
 */
export function loadNative(): Native | { reason: string } {
  if (loaded) return loaded;
  try {
    if (!checks[runtime.name]()) throw new Error("it needs Linux");
    loaded = linux(libcs[runtime.name]());
  } catch (error) {
    loaded = { reason: (error as Error).message };
  }
  return loaded;
}

/**
 * The file of the package by which the calls are bound, if it takes one: a
 * worker that runs from a text cannot find it, and must be told.
 */
export function nativeModule(): string | undefined {
  loadNative();
  return nodeModulePath();
}

/** The same for a thread, which needs it only if its owner has needed it. */
export function nativeModuleIfLoaded(): string | undefined {
  return loaded && nodeModulePath();
}

/** Names that file to a worker, before it first needs the calls. */
export function useNativeModule(path: string): void {
  useNodeModulePath(path);
}
