import { randomWords } from "../random.ts";
import { keyOf } from "./held.ts";
import { allocate, wasOpened } from "./memory.ts";
import { type Realm, realm } from "./realm.ts";
import { readHandle } from "./segment.ts";
import {
  brandShareable,
  registerShareable,
  type SharedState,
} from "./shareable.ts";

// The words that all primitives begin with.
const ID = 0;
const CROSSED = 2;
/** How often a worker has died that held it. */
export const EPOCH = 3;
/** The last worker that did. */
export const ABANDONED_BY = 4;
/** The first word of the primitive's own, at a multiple of 8 bytes. */
export const OWN = 6;

/** How many of the primitives that were sent are kept. */
const MAX_SENT = 1024;

/** What a primitive does for the thread that it is in. */
export interface Keeper {
  /** A worker is gone that may have held it or waited for it. */
  abandon(
    token: number,
    workerId: number,
    count: number,
    hasDied: boolean,
  ): void;
  /** Whether this thread neither holds it nor waits for it. */
  isIdle(): boolean;
  /** The lock that it has, if it is a condition. */
  readonly lock?: Cell;
  /** A worker is gone that held that lock, or waited for it. */
  lockAbandoned?(): void;
}

/** The words of one primitive, as one thread has them. */
export class Cell {
  /** The primitive. */
  readonly subject: object;
  /** What it does when a worker is gone. */
  readonly keeper: Keeper;
  /** Its words. */
  readonly words: Int32Array;
  /** By which it is known, the same in all threads and processes. */
  readonly key: number;
  /** By which this thread is known as its holder. */
  readonly token: number;
  /** Whether processes could share it. */
  readonly canCross: boolean;
  /** Where this thread has noted it, see held.ts. */
  entry: number | undefined;

  /** Takes words that hold an ID, and makes it known in this thread. */
  constructor(subject: object, keeper: Keeper, words: Int32Array) {
    this.subject = subject;
    this.keeper = keeper;
    this.words = words;
    this.key = keyOf(words[ID]!, words[ID + 1]!);
    const buffer = words.buffer as SharedArrayBuffer;
    this.canCross = readHandle(buffer) !== undefined;
    const here = realm();
    this.token = here.token;
    here.cells.set(this.key, new WeakRef(this));
    here.collected.register(this, this.key);
  }

  /**
   * Whether another process has it, too. It may have since a moment ago, so
   * that whoever waits must look again now and then.
   */
  get hasCrossed(): boolean {
    return this.canCross && Atomics.load(this.words, CROSSED) === 1;
  }
}

// --- making ---

/** The words for the primitive that is made next, if it exists already. */
let given: unknown[] | undefined;

/** The parts of a primitive that is being made from parts. */
export function takeParts(): unknown[] | undefined {
  const parts = given;
  given = undefined;
  return parts;
}

/** The words of a primitive: given ones, or `length` new ones of its own. */
export function createCell(
  subject: object,
  keeper: Keeper,
  length: number,
  parts: unknown[] | undefined,
): Cell {
  if (parts) return new Cell(subject, keeper, parts[0] as Int32Array);
  const { buffer, byteOffset } = allocate((OWN + length) * 4);
  const words = new Int32Array(buffer, byteOffset, OWN + length);
  words.set(randomWords(2), ID);
  return new Cell(subject, keeper, words);
}

// --- sending ---

/** What a primitive is made of, as it is about to be sent. */
export function sendCell(
  kind: string,
  cell: Cell,
  ...others: unknown[]
): SharedState {
  keep(realm(), cell);
  return { kind, parts: [cell.words, ...others] };
}

/** Where it goes, a worker may die with it. */
function keep(here: Realm, cell: Cell): void {
  const { sent } = here;
  sent.delete(cell.key);
  sent.set(cell.key, [cell, here.clock++]);
  if (sent.size <= MAX_SENT) return;
  const [oldest] = sent.keys();
  sent.delete(oldest!);
}

interface PrimitiveClass {
  readonly prototype: object;
  // Made from parts, it takes no arguments.
  new (...args: never[]): object;
}

/**
 * Lets the objects of a class be sent. A thread that receives one twice has
 * one object; `instanceof` holds for those of another copy of this library.
 */
export function definePrimitive(
  primitiveClass: PrimitiveClass,
  kind: string,
): void {
  brandShareable(primitiveClass, kind);
  registerShareable(kind, (parts) => {
    const words = parts[0] as Int32Array;
    // Before anybody here waits: others can be woken from here from now on.
    if (wasOpened(words.buffer as SharedArrayBuffer)) {
      Atomics.store(words, CROSSED, 1);
    }
    const { cells } = realm();
    const known = cells.get(keyOf(words[ID]!, words[ID + 1]!))?.deref();
    if (known) return known.subject;
    given = parts;
    try {
      return new (primitiveClass as unknown as new () => object)();
    } finally {
      given = undefined;
    }
  });
}
