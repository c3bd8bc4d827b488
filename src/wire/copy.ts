import { dataCloneError } from "../errors.ts";
import {
  type ErrorRecord,
  fieldsOf,
  recordError,
  recordMessage,
} from "./error_record.ts";
import { describe, isError, kindOf, tagOf } from "./kinds.ts";
import { formatPath, type PathStep, type What } from "./path.ts";
import { holdsPrimitives } from "./plain.ts";

/** Errors inside errors that are recorded with all their fields. */
const MAX_ERROR_DEPTH = 16;

/** Objects that the fields of errors may lead to, all together. */
const MAX_FIELD_VISITS = 10_000;

/** What keeps a value from being sent. */
class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/**
 * Copies a value so that structured clone carries it faithfully: errors become
 * records. Identity and cycles are kept.
 *
 * Values that cannot be sent are refused, except in errors: there, losing what
 * does not fit is better than losing the error.
 */
export class Copier {
  /** The records in the copy, in no order that matters. */
  readonly records: ErrorRecord[] = [];
  /** Where in the value the copy has got to: in the end, to what it refused. */
  readonly #path: PathStep[] = [];
  readonly #copies = new Map<object, object>();
  /** The keys of the copies in order, to take back those of a lost field. */
  readonly #order: object[] = [];
  #errorDepth = 0;
  #fieldVisits = 0;

  /** The copy. Throws what {@linkcode explain} understands. */
  copy(value: unknown): unknown {
    if (typeof value === "function" || typeof value === "symbol") {
      throw new Refusal(describe(value));
    }
    if (typeof value !== "object" || value === null) return value;
    const copied = this.#copies.get(value);
    if (copied !== undefined) return copied;
    if (this.#errorDepth > 0 && ++this.#fieldVisits > MAX_FIELD_VISITS) {
      throw new Refusal("part of too much data");
    }
    if (Array.isArray(value)) return this.#copyArray(value);
    const prototype = Object.getPrototypeOf(value);
    switch (kindOf(value, prototype)) {
      case "map":
        return this.#copyMap(value as Map<unknown, unknown>);
      case "set":
        return this.#copySet(value as Set<unknown>);
      case "error":
        return this.#copyError(value);
      case "leaf":
        return checkedLeaf(value);
      case "refused":
        throw new Refusal(describe(value));
    }
    // An error whose prototype has been changed.
    if (isError(value)) return this.#copyError(value);
    const keys = Object.keys(value);
    // Some classes of a runtime have no properties, and clone all the same.
    if (keys.length === 0 && prototype !== null) return checkedLeaf(value);
    return this.#copyProperties(value, {}, keys);
  }

  /** The copy, or an error that describes what cannot be sent. */
  copyOrDescribe(value: unknown, message: string): unknown {
    const depth = this.#path.length;
    let copy: unknown;
    const refusal = this.#attempt(() => {
      copy = this.copy(value);
    });
    if (refusal === undefined) return copy;
    const detail = this.#path.length > depth
      ? `, its property '${formatPath(this.#path.slice(depth))}' is ${
        reasonOf(refusal.error)
      }`
      : "";
    this.#path.length = depth;
    const record = recordMessage(`${message}: ${preview(value)}${detail}`);
    this.records.push(record);
    return record;
  }

  /** The error to throw when `copy()` has thrown. */
  explain(error: unknown, what: What): DOMException {
    return refusalError(
      what,
      this.#path,
      `as PROPERTY is ${reasonOf(error)}`,
      error instanceof Refusal ? undefined : error,
    );
  }
}
