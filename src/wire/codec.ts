import { type Carrier, processCarrier, threadCarrier } from "./carrier.ts";
import { packFrozen } from "./frozen.ts";
import { type PackedError, packError, unpackError } from "./errors.ts";
import { type ListPayload, packList, unpackList } from "./list.ts";
import { refusalsOf } from "./refusals.ts";
import { pack, type Packed, unpack, type What } from "./values.ts";

/** How values become what a message can hold, and back. */
export interface Codec {
  /** Whether what transfer() has marked is moved. */
  readonly moves: boolean;
  pack(value: unknown, what: string): Packed;
  /** As `pack()`, for what goes to all workers. */
  packShared(value: unknown, what: string): Packed;
  unpack(packed: Packed): unknown;
  /** `isFresh`: whether a `Float64Array` may be given away. */
  packList(elements: ArrayLike<unknown>, isFresh?: boolean): {
    payload: ListPayload;
    transfer: ArrayBuffer[];
  };
  unpackList(payload: ListPayload): ArrayLike<unknown>;
  /** Whether what has been unpacked is nobody else's. */
  readonly copies: boolean;
  /** Which elements cannot be sent, and why: `reason` is told of all. */
  refusalsOf(
    elements: ArrayLike<unknown>,
    what: (index: number) => What,
    reason: unknown,
  ): (Error | undefined)[];
  packError(error: unknown): PackedError;
  unpackError(packed: PackedError): unknown;
}

function createCodec(carrier: Carrier): Codec {
  return {
    moves: carrier.transfers,
    pack: (value, what) => pack(value, what, carrier),
    packShared: (value, what) => pack(value, what, carrier),
    unpack,
    packList: (elements, isFresh) => packList(elements, isFresh, carrier),
    unpackList,
    copies: true,
    refusalsOf: (elements, what, reason) =>
      refusalsOf(elements, what, reason, carrier),
    packError: (error) => packError(error, carrier),
    unpackError,
  };
}

/** For workers that are threads, which get structured clones. */
export const cloningCodec: Codec = createCodec(threadCarrier);

/** For workers that are processes, which get bytes. */
export const serializingCodec: Codec = createCodec(processCarrier);

/** The same, where large buffers are copied as they are written. */
export const freezingCodec: Codec = {
  ...serializingCodec,
  packShared: packFrozen,
};

// What a codec packs is opaque to everyone else, so that values may stand
// for themselves.
function same(value: unknown): never {
  return value as never;
}

/** For a worker in the same thread: values pass by reference. */
export const referenceCodec: Codec = {
  moves: false,
  pack: same,
  packShared: same,
  unpack: same,
  packList: (elements) => ({ payload: same(elements), transfer: [] }),
  unpackList: same,
  copies: false,
  refusalsOf: () => [],
  packError: same,
  unpackError: same,
};
