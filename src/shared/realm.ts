import { randomWords } from "../random.ts";
import type { Cell } from "./cell.ts";

/**
 * What all copies of this library in one thread share about its locks and the
 * like: a bundle beside a package, a worker's program beside the modules that
 * it imports.
 */
export interface Realm {
  /** By which this thread is known as a holder. */
  token: number;
  /** Where it notes what it may hold, see held.ts. */
  held: Int32Array;
  /** Whose ID stands in which entry of them. */
  readonly entries: (Cell | undefined)[];
  /** All that were made or received here and are still in use. */
  readonly cells: Map<number, WeakRef<Cell>>;
  /** Counts what is sent and the workers that start, in their order. */
  clock: number;
  /**
   * The last that were sent, and when: others may hold them when nobody here
   * does.
   */
  readonly sent: Map<number, [cell: Cell, at: number]>;
  /** The words of workers that live, and when they started. */
  readonly workers: Map<Int32Array, number>;
  /** Takes out what was collected. */
  readonly collected: FinalizationRegistry<number>;
}

/** Tokens are two bits shorter than a word, and those below 2 have a meaning. */
const FIRST_TOKEN = 2;
const TOKENS = 2 ** 29;

/** Words of a thread that nobody watches. */
const UNWATCHED = 256;

const key = Symbol.for("polypool.sharedRealm");
const scope = globalThis as { [key]?: Realm };

let here: Realm | undefined;

/** What this thread has. Made when first asked for. */
export function realm(): Realm {
  return here ??= scope[key] ??= createRealm();
}

function createRealm(): Realm {
  const cells = new Map<number, WeakRef<Cell>>();
  const [random] = randomWords(1);
  return {
    token: FIRST_TOKEN + random! % (TOKENS - FIRST_TOKEN),
    held: new Int32Array(UNWATCHED),
    entries: [],
    cells,
    clock: 0,
    sent: new Map(),
    workers: new Map(),
    collected: new FinalizationRegistry((key) => {
      if (!cells.get(key)?.deref()) cells.delete(key);
    }),
  };
}
