import { type MemoryHandle, openMemory } from "../shared/memory.ts";
import { fromFrozen } from "./frozen.ts";
import type { FrozenHandle } from "../shared/frozen.ts";
import {
  restoreShareable,
  type Shareable,
  type SharedState,
} from "../shared/shareable.ts";
import { viewKind } from "./kinds.ts";
import { addFields, createError, type ErrorRecord } from "./error_record.ts";

/** A view on a buffer, where the channel would lose which part it shows. */
export interface ViewRecord {
  view: string;
  buffer: unknown;
  byteOffset: number;
  /** If it has one of its own, and does not go on with its buffer. */
  length: number | undefined;
}

/** Memory that processes share. */
export interface MemoryRecord {
  memory: MemoryHandle;
}

/** A buffer that processes map and copy as they write. */
export interface FrozenRecord {
  frozen: number;
  of: { handle?: FrozenHandle };
}

/** An object whose state lies elsewhere. */
export interface ShareableRecord {
  shareable: SharedState;
}

// Whoever keeps what is packed, to send it once more, keeps the object.
const originals = new WeakMap<ShareableRecord, Shareable>();

/** The record of such an object. */
export function recordShareable(
  original: Shareable,
  shareable: SharedState,
): ShareableRecord {
  const record = { shareable };
  originals.set(record, original);
  return record;
}

/** The object that a record was made of here. */
export function originalOf(record: ValueRecord): Shareable | undefined {
  return originals.get(record as ShareableRecord);
}

/** The record of a view, given what stands for its buffer. */
export function recordView(view: ArrayBufferView, buffer: unknown): ViewRecord {
  const { byteOffset, byteLength } = view;
  const { length = byteLength } = view as { length?: number };
  return {
    view: viewKind(view),
    buffer,
    byteOffset,
    length: tracksLength(view) ? undefined : length,
  };
}

/**
 * Whether the view is as long as its buffer lets it be. One with a length of
 * its own that ends with its buffer cannot be told from that.
 */
function tracksLength(view: ArrayBufferView): boolean {
  const { buffer, byteOffset, byteLength } = view;
  const { BYTES_PER_ELEMENT = 1 } = view as { BYTES_PER_ELEMENT?: number };
  return (buffer as { resizable?: boolean }).resizable === true &&
    buffer.byteLength - byteOffset - byteLength < BYTES_PER_ELEMENT;
}

/** What stands for a value that the channel would not carry faithfully. */
export type ValueRecord =
  | ErrorRecord
  | ViewRecord
  | MemoryRecord
  | FrozenRecord
  | ShareableRecord;

/** Whether the record is that of an error. */
export function isErrorRecord(record: ValueRecord): record is ErrorRecord {
  return "class" in record;
}

/**
 * Makes the value that a record stands for; `restored` gives what its parts
 * are. The fields of an error are still missing, as they may lead back to it.
 */
export function fromRecord(
  record: ValueRecord,
  restored: (part: unknown) => unknown,
): object {
  if (isErrorRecord(record)) return createError(record);
  if ("memory" in record) return openMemory(record.memory);
  if ("frozen" in record) return fromFrozen(record);
  if ("shareable" in record) {
    const { kind, parts } = record.shareable;
    return restoreShareable({ kind, parts: parts.map(restored) });
  }
  const { view, byteOffset, length } = record;
  const View = (globalThis as Record<string, unknown>)[view] as new (
    buffer: unknown,
    byteOffset: number,
    length: number | undefined,
  ) => object;
  return new View(restored(record.buffer), byteOffset, length);
}

/** Adds what was missing. */
export function completeRecord(
  value: object,
  record: ValueRecord,
): void {
  if (isErrorRecord(record)) addFields(value as Error, record);
}
