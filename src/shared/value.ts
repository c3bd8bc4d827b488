import { message, show } from "../check.ts";
import {
  type Cell,
  createCell,
  definePrimitive,
  OWN,
  sendCell,
  takeParts,
} from "./cell.ts";
import type { Shareable, SharedState } from "./shareable.ts";

/** The kinds of numbers that a {@linkcode SharedValue} can be. */
export type SharedValueKind =
  | "int32"
  | "uint32"
  | "float64"
  | "bigint64"
  | "biguint64";

/** The type of a kind's numbers. */
export type NumberOf<K extends SharedValueKind> = K extends
  "bigint64" | "biguint64" ? bigint : number;

/** How a kind of numbers is kept. */
interface Store<N> {
  get(): N;
  set(value: N): void;
  add(delta: N): N;
  exchange(value: N): N;
  compareExchange(expected: N, value: N): N;
}

const KINDS = ["int32", "uint32", "float64", "bigint64", "biguint64"];

/** What all kinds take. */
const WORDS = 2;

/**
 * One number in shared memory. All operations are atomic: no update is lost,
 * whoever else makes one at the same time.
 *
 * `new SharedValue()` and `new SharedValue(0.5)` are of kind `"float64"`, the
 * numbers of JavaScript; `new SharedValue("int32", 5)` is quicker to add to,
 * and wraps around.
 *
 * @typeParam K The kind of number.
 *
 * @example Usage
 * ```ts
 * import { SharedValue, WorkerPool } from "@polypool/polypool";
 * import { assertEquals } from "@std/assert";
 *
 * const sum = new SharedValue(0);
 * await using pool = new WorkerPool({ nJobs: 2, sharedObjects: sum });
 * await pool.map((sum, x: number) => void sum.add(x), [0.5, 1, 2]);
 * assertEquals(sum.value, 3.5);
 * ```
 */
export class SharedValue<K extends SharedValueKind = "float64">
  implements Shareable {
  static {
    definePrimitive(this, "SharedValue");
  }

  /** The kind of number. */
  readonly kind: K;
  readonly #cell: Cell;
  readonly #store: Store<NumberOf<K>>;

  /** Makes a value. */
  constructor(initial?: NumberOf<K>);
  /** Makes a value of the kind. */
  constructor(kind: K, initial?: NumberOf<K>);
  /** Makes a value, maybe of a kind. */
  constructor(first?: K | NumberOf<K>, second?: NumberOf<K>) {
    const parts = takeParts();
    const isNamed = typeof first === "string";
    const initial = isNamed ? second : first as NumberOf<K> | undefined;
    const kind = parts ? parts[1] : isNamed ? first : "float64";
    const action = "create a SharedValue";
    if (!KINDS.includes(kind as string)) {
      const rule = `one of ${KINDS.map(show).join(", ")}`;
      throw new RangeError(message(action, "kind", rule, kind));
    }
    this.kind = kind as K;
    if (initial !== undefined) checkNumber(action, this.kind, initial);
    // Nobody holds it, and nobody waits for it.
    const keeper = { abandon() {}, isIdle: () => true };
    this.#cell = createCell(this, keeper, WORDS, parts);
    this.#store = createStore(this.kind, this.#cell.words) as never;
    if (initial !== undefined) this.#store.set(initial);
  }

  /** The number. */
  get value(): NumberOf<K> {
    return this.#store.get();
  }

  /** Sets the number. */
  set value(value: NumberOf<K>) {
    checkNumber("set a SharedValue", this.kind, value);
    this.#store.set(value);
  }

  /** Adds to the number. Returns what it was before. */
  add(delta: NumberOf<K>): NumberOf<K> {
    checkNumber("add to a SharedValue", this.kind, delta);
    return this.#store.add(delta);
  }

  /** Sets the number. Returns what it was before. */
  exchange(value: NumberOf<K>): NumberOf<K> {
    checkNumber("exchange a SharedValue", this.kind, value);
    return this.#store.exchange(value);
  }

  /**
   * Sets the number if it is as expected. Returns what it was before, whether
   * or not it has been set.
   */
  compareExchange(
    expected: NumberOf<K>,
    value: NumberOf<K>,
  ): NumberOf<K> {
    const action = "exchange a SharedValue";
    checkNumber(action, this.kind, expected, "expected");
    checkNumber(action, this.kind, value);
    return this.#store.compareExchange(expected, value);
  }

  /** How the value is sent. */
  polypoolState(): SharedState {
    return sendCell("SharedValue", this.#cell, this.kind);
  }
}

function createStore(
  kind: SharedValueKind,
  { buffer, byteOffset }: Int32Array,
): Store<never> {
  const at = byteOffset + OWN * 4;
  switch (kind) {
    case "int32":
      return atomicStore(new Int32Array(buffer, at, 1)) as never;
    case "uint32":
      return atomicStore(new Uint32Array(buffer, at, 1) as never) as never;
    case "bigint64":
      return atomicStore(new BigInt64Array(buffer, at, 1) as never) as never;
    case "biguint64":
      return atomicStore(new BigUint64Array(buffer, at, 1) as never) as never;
    case "float64":
      return floatStore(new BigInt64Array(buffer, at, 1)) as never;
  }
}

/** What the engine can do by itself. */
function atomicStore(array: Int32Array): Store<number> {
  return {
    get: () => Atomics.load(array, 0),
    set: (value) => Atomics.store(array, 0, value),
    add: (delta) => Atomics.add(array, 0, delta),
    exchange: (value) => Atomics.exchange(array, 0, value),
    compareExchange: (expected, value) =>
      Atomics.compareExchange(array, 0, expected, value),
  };
}

/** Fractions, by their bits. */
function floatStore(array: BigInt64Array): Store<number> {
  const float = new Float64Array(1);
  const bits = new BigInt64Array(float.buffer);
  const toFloat = (value: bigint) => {
    bits[0] = value;
    return float[0]!;
  };
  const toBits = (value: number) => {
    float[0] = value;
    return bits[0]!;
  };
  /** Changes the number to what `next` makes of it, unless `undefined`. */
  const update = (next: (old: number) => number | undefined): number => {
    let old = Atomics.load(array, 0);
    while (true) {
      const before = toFloat(old);
      const after = next(before);
      if (after === undefined) return before;
      const found = Atomics.compareExchange(array, 0, old, toBits(after));
      if (found === old) return before;
      old = found;
    }
  };
  return {
    get: () => toFloat(Atomics.load(array, 0)),
    set: (value) => void Atomics.store(array, 0, toBits(value)),
    add: (delta) => update((old) => old + delta),
    exchange: (value) => toFloat(Atomics.exchange(array, 0, toBits(value))),
    // By what the numbers are, as one may have several forms: 0 and -0, NaN.
    compareExchange: (expected, value) =>
      update((old) =>
        old === expected || Object.is(old, expected) ? value : undefined
      ),
  };
}

const RANGES: Record<
  SharedValueKind,
  [min: number | bigint, max: number | bigint]
> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  float64: [-Infinity, Infinity],
  bigint64: [-(2n ** 63n), 2n ** 63n - 1n],
  biguint64: [0n, 2n ** 64n - 1n],
};

function checkNumber(
  action: string,
  kind: SharedValueKind,
  value: unknown,
  name = "value",
): void {
  if (kind === "float64" && typeof value === "number") return;
  if (kind === "int32" && ((value as number) | 0) === value) return;
  const isBig = kind.startsWith("big");
  const rule = kind === "float64"
    ? "a number"
    : isBig
    ? `a bigint of kind ${kind}`
    : `an integer of kind ${kind}`;
  if (isBig ? typeof value !== "bigint" : typeof value !== "number") {
    throw new TypeError(message(action, name, rule, value));
  }
  const [min, max] = RANGES[kind];
  const number = value as number;
  if (number < min || number > max || (!isBig && !Number.isInteger(number))) {
    throw new RangeError(message(action, name, rule, value));
  }
}
