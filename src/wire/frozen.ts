import { freeze, type FrozenHandle, thaw } from "../shared/frozen.ts";
import { type Carrier, processCarrier } from "./carrier.ts";
import { Copier } from "./copy.ts";
import { tagOf } from "./kinds.ts";
import type { FrozenRecord } from "./records.ts";
import type { What } from "./refusal.ts";
import { pack, type Packed, packedBy } from "./values.ts";

/** Buffers of fewer bytes are not worth a mapping. */
const MIN_BYTES = 0x10000;

/** Keeps what was frozen for as long as it can be sent. */
const kept = new WeakMap<Packed, object>();

function isLarge(leaf: object): leaf is ArrayBuffer {
  return tagOf(leaf) === "ArrayBuffer" &&
    !(leaf as { resizable?: boolean }).resizable &&
    (leaf as ArrayBuffer).byteLength >= MIN_BYTES;
}

/**
 * Packs a value for several processes: its large buffers are frozen in memory
 * that all of them map, and copy page by page as they write.
 */
export function packFrozen(value: unknown, what: What): Packed {
  const buffers: ArrayBuffer[] = [];
  const shared: { handle?: FrozenHandle } = {};
  const carrier: Carrier = {
    ...processCarrier,
    carries: (leaf) => !isLarge(leaf) && processCarrier.carries(leaf),
    record(leaf, copy) {
      if (!isLarge(leaf)) return processCarrier.record(leaf, copy);
      return { frozen: buffers.push(leaf) - 1, of: shared } as FrozenRecord;
    },
  };
  const copier = new Copier(carrier);
  let packed: Packed;
  try {
    packed = packedBy(copier, copier.copy(value));
  } catch (thrown) {
    throw copier.explain(thrown, what);
  }
  if (buffers.length === 0) return packed;
  const memory = freeze(buffers);
  // Where the system cannot, the bytes are sent.
  if (memory === undefined) return pack(value, what, processCarrier);
  shared.handle = memory.handle;
  kept.set(packed, memory);
  return packed;
}

const thawed = new Map<string, ArrayBuffer[]>();

/** The buffer that was frozen, as this process's own. */
export function fromFrozen({ frozen, of }: FrozenRecord): ArrayBuffer {
  const { id } = of.handle!;
  let buffers = thawed.get(id);
  if (buffers === undefined) {
    buffers = thaw(of.handle!);
    thawed.set(id, buffers);
  }
  return buffers[frozen]!;
}
