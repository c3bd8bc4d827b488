import { type PackedError, packError, unpackError } from "./errors.ts";
import { type ListPayload, packEach, packList, unpackList } from "./list.ts";
import { pack, type Packed, unpack } from "./values.ts";

/** How values become what a message can hold, and back. */
export interface Codec {
  pack(value: unknown, what: string): Packed;
  unpack(packed: Packed): unknown;
  packList(elements: ArrayLike<unknown>): {
    payload: ListPayload;
    transfer: ArrayBuffer[];
  };
  unpackList(payload: ListPayload): ArrayLike<unknown>;
  packError(error: unknown): PackedError;
  unpackError(packed: PackedError): unknown;
}

/** For workers that get copies by the structured clone algorithm. */
export const cloningCodec: Codec = {
  pack,
  unpack,
  packList,
  unpackList,
  packError,
  unpackError,
};

export { packEach };

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
  packError: same,
  unpackError: same,
};
