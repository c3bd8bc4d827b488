import { Copier } from "./copy.ts";
import type { Carrier } from "./carrier.ts";
import { tagOf } from "./kinds.ts";
import { holdsPrimitives, isPlain } from "./plain.ts";
import {
  completeRecord,
  fromRecord,
  isErrorRecord,
  type ValueRecord,
} from "./records.ts";
import type { What } from "./refusal.ts";

export { explainCloneFailure } from "./culprit.ts";
export { isPlain, type What };

/**
 * A value as messages carry it. Errors in it, and what else they would not
 * carry, are records; as identity is kept within one message, a list of them
 * tells them from other objects.
 */
export interface Packed {
  value: unknown;
  records?: ValueRecord[];
}

/**
 * Makes of a value what can be sent. Throws a DataCloneError when there is
 * something in it that cannot, naming `what` and the culprit.
 */
export function pack(value: unknown, what: What, carrier?: Carrier): Packed {
  if (isPlain(value, carrier)) return { value };
  const copier = new Copier(carrier);
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
  const made = new Map<unknown, object | undefined>();
  for (const record of records) made.set(record, undefined);
  const containers = new Set<unknown>(records.filter(isErrorRecord));
  const restored = (part: unknown): unknown => {
    if (typeof part !== "object" || part === null) return part;
    if (!made.has(part)) {
      containers.add(part);
      return part;
    }
    let result = made.get(part);
    if (result === undefined) {
      result = fromRecord(part as ValueRecord, restored);
      made.set(part, result);
    }
    return result;
  };
  const result = restored(value);
  // The set grows while it is walked through.
  for (const container of containers) {
    restoreIn(container as Record<string, unknown>, restored);
  }
  for (const record of records) {
    const value = made.get(record);
    if (value !== undefined) completeRecord(value, record);
  }
  return result;
}

/**
 * Puts what was meant in the place of records. Clones may belong to another
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
      const meant = restored(value);
      if (meant !== value) container[key] = meant;
    }
  }
}
