import { Copier } from "./copy.ts";
import { addFields, createError, type ErrorRecord } from "./error_record.ts";
import { tagOf } from "./kinds.ts";
import { holdsPrimitives, isPlain } from "./plain.ts";
import type { What } from "./refusal.ts";

export { explainCloneFailure } from "./culprit.ts";
export { isPlain, type What };

/**
 * A value as structured clone carries it. The errors in it are records; as
 * clones keep identity within one message, a list of them tells them from
 * other objects.
 */
export interface Packed {
  value: unknown;
  records?: ErrorRecord[];
}

/**
 * Makes of a value what can be sent. Throws a DataCloneError when there is
 * something in it that cannot, naming `what` and the culprit.
 */
export function pack(value: unknown, what: What): Packed {
  if (isPlain(value)) return { value };
  const copier = new Copier();
  try {
    return packedBy(copier, copier.copy(value));
  } catch (thrown) {
    throw copier.explain(thrown, what);
  }
}

/** What the copier has made, with what it takes to unpack it. */
export function packedBy(copier: Copier, value: unknown): Packed {
  const { records } = copier;
  return records.length === 0 ? { value } : { value, records };
}

/** The value that has been packed. */
export function unpack(packed: Packed): unknown {
  const { value, records } = packed;
  if (records === undefined) return value;
  const errors = new Map<unknown, Error>();
  for (const record of records) errors.set(record, createError(record));
  const containers = new Set<unknown>(records);
  const restored = (part: unknown): unknown => {
    const error = errors.get(part);
    if (error !== undefined) return error;
    if (typeof part === "object" && part !== null) containers.add(part);
    return part;
  };
  const result = restored(value);
  // The set grows while it is walked through.
  for (const container of containers) {
    restoreIn(container as Record<string, unknown>, restored);
  }
  for (const [record, error] of errors) addFields(error, record as ErrorRecord);
  return result;
}

/**
 * Puts errors in the place of their records. Clones may belong to another
 * realm, so what they are is told by tag.
 */
function restoreIn(
  container: Record<string, unknown>,
  restored: (value: unknown) => unknown,
): void {
  if (ArrayBuffer.isView(container)) return;
  if (Array.isArray(container) && holdsPrimitives(container)) return;
  const tag = tagOf(container);
  if (tag === "Map") {
    const map = container as unknown as Map<unknown, unknown>;
    const entries = [...map];
    // All of them again, so that they stay in order.
    map.clear();
    for (const [key, value] of entries) {
      map.set(restored(key), restored(value));
    }
  } else if (tag === "Set") {
    const set = container as unknown as Set<unknown>;
    const values = [...set];
    set.clear();
    for (const value of values) set.add(restored(value));
  } else {
    for (const key of Object.keys(container)) {
      const value = container[key];
      const error = restored(value);
      if (error !== value) container[key] = error;
    }
  }
}
