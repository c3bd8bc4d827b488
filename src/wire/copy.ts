import {
  type ErrorRecord,
  fieldsOf,
  recordError,
  recordMessage,
} from "./error_record.ts";
import { type Carrier, threadCarrier } from "./carrier.ts";
import { isError, kindOf, tagOf, viewKind } from "./kinds.ts";
import {
  canClone,
  hasOnlyElements,
  holdsPrimitives,
  MAX_NESTING,
} from "./plain.ts";
import { recordShareable, type ValueRecord } from "./records.ts";
import type { Shareable } from "../shared/shareable.ts";
import {
  formatProperty,
  type PathStep,
  preview,
  reasonOf,
  Refusal,
  refusalError,
  refusalOf,
  stepOf,
  tooDeep,
  type What,
} from "./refusal.ts";
import { isMarked } from "./transfer.ts";

/** Errors inside errors that are recorded with all their fields. */
const MAX_ERROR_DEPTH = 16;

/** Objects that the fields of errors may lead to, all together. */
const MAX_FIELD_VISITS = 1_000_000;

/**
 * Copies a value so that messages carry it faithfully: errors, and what else
 * they would not, become records. Identity and cycles are kept.
 *
 * Values that cannot be sent are refused, except in errors: there, losing what
 * does not fit is better than losing the error.
 */
export class Copier {
  /** The records in the copy. */
  readonly records: ValueRecord[] = [];
  readonly #carrier: Carrier;
  /** The way to the value at hand. After a refusal, to what was refused. */
  readonly #path: PathStep[] = [];
  readonly #copies = new Map<object, object>();
  /** The keys of the copies in order, to take back those of a lost field. */
  readonly #order: object[] = [];
  #depth = 0;
  #errorDepth = 0;
  #fieldVisits = 0;

  constructor(carrier: Carrier = threadCarrier) {
    this.#carrier = carrier;
  }

  /** The copy. Throws what {@linkcode explain} understands. */
  copy(value: unknown): unknown {
    if (typeof value === "function" || typeof value === "symbol") {
      throw refusalOf(value);
    }
    if (typeof value !== "object" || value === null) return value;
    const copied = this.#copies.get(value);
    if (copied !== undefined) return copied;
    if (this.#errorDepth > 0 && ++this.#fieldVisits > MAX_FIELD_VISITS) {
      throw new Refusal("is part of too much data");
    }
    if (this.#depth > MAX_NESTING) throw tooDeep();
    if (Array.isArray(value)) return this.#copyArray(value);
    const prototype = Object.getPrototypeOf(value);
    switch (kindOf(value, prototype)) {
      case "map":
        return this.#copyMap(value as Map<unknown, unknown>);
      case "set":
        return this.#copySet(value as Set<unknown>);
      case "error":
        return this.#copyError(value as Error);
      case "leaf":
        return this.#copyLeaf(value);
      case "shareable":
        return this.#copyShareable(value as Shareable);
      case "refused":
        if (this.#carrier.transfers && isMarked(value)) return value;
        throw refusalOf(value);
    }
    // Its prototype may have been changed.
    if (isError(value)) return this.#copyError(value as Error);
    const keys = Object.keys(value);
    // Some of a runtime's own classes clone though they have no properties.
    if (keys.length === 0 && prototype !== null) return checkClone(value);
    return this.#copyProperties(value, {}, keys);
  }

  /** The copy, or an error that describes what cannot be sent. */
  copyOrDescribe(value: unknown, message: string): unknown {
    const start = this.#path.length;
    const attempt = this.#attempt(() => this.copy(value));
    if ("result" in attempt) return attempt.result;
    const way = this.#path.splice(start);
    const detail = way.length === 0
      ? ""
      : `, whose ${formatProperty(way)} ${reasonOf(attempt.thrown)}`;
    const record = recordMessage(`${message}: ${preview(value)}${detail}`);
    this.records.push(record);
    return record;
  }

  /** The error for what `copy()` has thrown. */
  explain(thrown: unknown, what: What): DOMException {
    return refusalError(thrown, what, this.#path);
  }

  #copyArray(array: unknown[]): unknown[] {
    // Quick, where there are many.
    if (
      array.length > 64 && holdsPrimitives(array) && hasOnlyElements(array)
    ) {
      const copy = ([] as unknown[]).concat(array);
      this.#remember(array, copy);
      return copy;
    }
    const copy: unknown[] = [];
    copy.length = array.length;
    return this.#copyProperties(array, copy, Object.keys(array));
  }

  #copyProperties<T extends object>(from: object, to: T, keys: string[]): T {
    this.#remember(from, to);
    this.#depth++;
    for (const key of keys) {
      this.#path.push(stepOf(from, key));
      const value = this.copy((from as Record<string, unknown>)[key]);
      if (key === "__proto__") {
        Object.defineProperty(to, key, {
          value,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      } else {
        (to as Record<string, unknown>)[key] = value;
      }
      this.#path.pop();
    }
    this.#depth--;
    return to;
  }

  #copyMap(map: Map<unknown, unknown>): Map<unknown, unknown> {
    const copy = new Map();
    this.#remember(map, copy);
    let i = 0;
    for (const [key, value] of Map.prototype.entries.call(map)) {
      copy.set(
        this.#copyInner("keys()", i, key),
        this.#copyInner("values()", i, value),
      );
      i++;
    }
    return copy;
  }

  #copySet(set: Set<unknown>): Set<unknown> {
    const copy = new Set();
    this.#remember(set, copy);
    let i = 0;
    for (const value of Set.prototype.values.call(set)) {
      copy.add(this.#copyInner("values()", i++, value));
    }
    return copy;
  }

  #copyInner(collection: string, index: number, value: unknown): unknown {
    this.#path.push(collection, index);
    this.#depth++;
    const copy = this.copy(value);
    this.#depth--;
    this.#path.length -= 2;
    return copy;
  }

  #copyLeaf(leaf: object): object {
    checkLeaf(leaf);
    if (this.#carrier.carries(leaf)) return leaf;
    const record = this.#carrier.record(leaf, (part) => this.copy(part));
    return this.#note(leaf, record);
  }

  #copyShareable(shareable: Shareable): object {
    const { kind, parts } = shareable.polypoolState();
    const copies = parts.map((part) => this.copy(part));
    return this.#note(
      shareable,
      recordShareable(shareable, { kind, parts: copies }),
    );
  }

  #note(value: object, record: ValueRecord): ValueRecord {
    this.#remember(value, record);
    this.records.push(record);
    return record;
  }

  #copyError(error: Error): ErrorRecord {
    const record = recordError(error);
    this.#note(error, record);
    const start = this.#path.length;
    this.#errorDepth++;
    const fields = this.#attempt(() => fieldsOf(error, record));
    for (const [key, isEnumerable] of "result" in fields ? fields.result : []) {
      this.#path.push(key);
      const copy = this.#attempt(() => this.#copyField(error, record, key));
      this.#path.length = start;
      if ("result" in copy) {
        record.fields.push([key, copy.result, isEnumerable]);
      }
    }
    this.#errorDepth--;
    return record;
  }

  #copyField(error: Error, record: ErrorRecord, key: string): unknown {
    const value = (error as unknown as Record<string, unknown>)[key];
    const isObject = typeof value === "object" && value !== null;
    if (isObject && this.#errorDepth > MAX_ERROR_DEPTH) {
      throw tooDeep();
    }
    const message = "A value that cannot be sent";
    if (key === "cause") return this.copyOrDescribe(value, message);
    if (
      record.class === "AggregateError" && key === "errors" &&
      Array.isArray(value)
    ) {
      return value.map((inner) => this.copyOrDescribe(inner, message));
    }
    return this.copy(value);
  }

  /** Takes back what has been copied when it ends in a refusal. */
  #attempt<T>(copy: () => T): { result: T } | { thrown: unknown } {
    const order = this.#order.length;
    const records = this.records.length;
    const depth = this.#depth;
    const errorDepth = this.#errorDepth;
    try {
      return { result: copy() };
    } catch (thrown) {
      for (const key of this.#order.splice(order)) this.#copies.delete(key);
      this.records.length = records;
      this.#depth = depth;
      this.#errorDepth = errorDepth;
      return { thrown };
    }
  }

  #remember(value: object, copy: object): void {
    this.#copies.set(value, copy);
    this.#order.push(value);
  }
}

// What stays as it is must be known to clone, or errors might not get through.
function checkLeaf(value: object): void {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  if (!tagOf(buffer).endsWith("ArrayBuffer")) {
    checkClone(value);
    return;
  }
  try {
    new DataView(buffer as ArrayBuffer);
  } catch {
    throw new Refusal("is a detached ArrayBuffer");
  }
  if (ArrayBuffer.isView(value) && !isInBounds(value)) {
    throw new Refusal("is a view on what its buffer does not have any more");
  }
}

/** Whether the buffer of a view, which may have shrunk, still has its part. */
function isInBounds(view: ArrayBufferView): boolean {
  try {
    if (viewKind(view) === "DataView") return view.byteLength >= 0;
    Int8Array.prototype.keys.call(view as Int8Array);
    return true;
  } catch {
    return false;
  }
}

function checkClone(value: object): object {
  if (!canClone(value)) throw refusalOf(value);
  return value;
}
