import { handleOf, whyNotShared } from "../shared/memory.ts";
import { tagOf } from "./kinds.ts";
import { Refusal, refusalOf } from "./refusal.ts";
import {
  type FrozenRecord,
  type MemoryRecord,
  recordView,
  type ViewRecord,
} from "./records.ts";

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
    if (ArrayBuffer.isView(leaf)) return recordView(leaf, copy(leaf.buffer));
    if (UNSERIALIZABLE.test(tagOf(leaf))) throw refusalOf(leaf);
    const buffer = leaf as SharedArrayBuffer;
    const memory = handleOf(buffer);
    if (memory) return { memory };
    throw new Refusal(`is a SharedArrayBuffer: ${whyNotShared(buffer)}`);
  },
};
