import { handleOf, reasonNotShared } from "../shared/memory.ts";
import { tagOf, viewKind } from "./kinds.ts";
import { Refusal, refusalOf } from "./refusal.ts";
import type { FrozenRecord, MemoryRecord, ViewRecord } from "./records.ts";

/** What becomes of values that hold no others, such as buffers. */
export interface Carrier {
  /** Whether buffers can be given away, as transfer() marks them. */
  readonly transfers: boolean;
  /** Whether messages carry the value faithfully, so that it may stay. */
  carries(leaf: object): boolean;
  /**
   * What stands for a value that they do not carry; `copy` gives what stands
   * for its parts. Throws a Refusal.
   */
  record(
    leaf: object,
    copy: (part: unknown) => unknown,
  ): ViewRecord | MemoryRecord | FrozenRecord;
}

/** Messages between threads, by the structured clone algorithm. */
export const threadCarrier: Carrier = {
  transfers: true,
  carries: () => true,
  record: (leaf) => {
    throw refusalOf(leaf);
  },
};

const UNSERIALIZABLE = /^(?:CryptoKey|WebAssembly\..*)$/;

/**
 * Messages between processes, as bytes: engines differ in what they make of a
 * view on a part of a buffer, or of two views on one.
 */
export const processCarrier: Carrier = {
  transfers: false,
  carries: (leaf) =>
    !ArrayBuffer.isView(leaf) && !/^Shared|^Crypto|^Web/.test(tagOf(leaf)),
  record(leaf, copy) {
    if (ArrayBuffer.isView(leaf)) {
      const { buffer, byteOffset, byteLength } = leaf;
      const { length = byteLength } = leaf as { length?: number };
      return { view: viewKind(leaf), buffer: copy(buffer), byteOffset, length };
    }
    if (UNSERIALIZABLE.test(tagOf(leaf))) throw refusalOf(leaf);
    const memory = handleOf(leaf as SharedArrayBuffer);
    if (memory) return { memory };
    const reason = reasonNotShared()?.replace(/^C/, "c") ??
      "make it by sharedArray() for processes to share it";
    throw new Refusal(`is a SharedArrayBuffer: ${reason}`);
  },
};
