import { runtime } from "../runtime/detect.ts";
import { processCarrier } from "../wire/carrier.ts";
import {
  explainCloneFailure,
  pack,
  type Packed,
  unpack,
} from "../wire/values.ts";

interface V8 {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

let v8: V8 | undefined;

function load(): V8 {
  return v8 ??= runtime.builtin<V8>("node:v8");
}

/** The bytes of an item of a queue. */
export function packItem(item: unknown): Uint8Array {
  const what = "the item";
  const packed = pack(item, what, processCarrier);
  try {
    return load().serialize(packed);
  } catch {
    throw explainCloneFailure(item, what);
  }
}

/** The item of the bytes. */
export function unpackItem(bytes: Uint8Array): unknown {
  return unpack(load().deserialize(bytes) as Packed);
}
