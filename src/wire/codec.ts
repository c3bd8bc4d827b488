import { type Carrier, processCarrier, threadCarrier } from "./carrier.ts";
import { type PackedError, packError, unpackError } from "./errors.ts";
import {
  type ListPayload,
  packEach,
  type PackedEach,
  packList,
  unpackList,
} from "./list.ts";
import { pack, type Packed, unpack, type What } from "./values.ts";

/** How values become what a message can hold, and back. */
export interface Codec {
  pack(value: unknown, what: string): Packed;
  unpack(packed: Packed): unknown;
  packList(elements: ArrayLike<unknown>): {
    payload: ListPayload;
    transfer: ArrayBuffer[];
  };
  unpackList(payload: ListPayload): ArrayLike<unknown>;
  /** Packs each element on its own, to find out which cannot be sent. */
  packEach(
    elements: ArrayLike<unknown>,
    what: (index: number) => What,
  ): PackedEach[];
  packError(error: unknown): PackedError;
  unpackError(packed: PackedError): unknown;
}

function createCodec(carrier: Carrier): Codec {
  return {
    pack: (value, what) => pack(value, what, carrier),
    unpack,
    packList: (elements) => packList(elements, false, carrier),
    unpackList,
    packEach: (elements, what) => packEach(elements, what, carrier),
    packError: (error) => packError(error, carrier),
    unpackError,
  };
}

/** For workers that are threads, which get structured clones. */
export const cloningCodec: Codec = createCodec(threadCarrier);

/** For workers that are processes, which get bytes. */
export const serializingCodec: Codec = createCodec(processCarrier);

// What a codec packs is opaque to everyone else, so that values may stand
// for themselves.
function same(value: unknown): never {
  return value as never;
}

/** For a worker in the same thread: values pass by reference. */
export const referenceCodec: Codec = {
  pack: same,
  unpack: same,
  packList: (elements) => ({ payload: same(elements), transfer: [] }),
  unpackList: same,
  packEach: (elements) => Array.from(elements, (e) => ({ packed: same(e) })),
  packError: same,
  unpackError: same,
};
