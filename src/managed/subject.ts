import { randomName } from "../random.ts";
import {
  brandShareable,
  registerShareable,
  type SharedState,
} from "../shared/shareable.ts";
import { holdsPrimitives, isPrimitive } from "../wire/plain.ts";
import { explainCloneFailure, pack, unpack } from "../wire/values.ts";
import { askOwner, findManaged, makeKnown, type Managed } from "./realm.ts";

/** What the methods of a class do, by their names, where the object is. */
export type Operations<State> = Record<
  string,
  // Their callers check and type what goes in and out.
  // deno-lint-ignore no-explicit-any
  (state: State, args: any[]) => unknown
>;

/** What a managed object is of. */
export interface SubjectSetup<State> {
  /** The name of its class. */
  kind: string;
  operations: Operations<State>;
  /** The state of a new one. */
  createState(): State;
}

/** The inside of a managed object: its state, or the way to it. */
export class Subject<State> {
  readonly #id: string;
  readonly #kind: string;
  readonly #operations: Operations<State>;
  /** Only where the object was made. */
  readonly #own: { state: State } | undefined;

  constructor(
    managed: Managed,
    { kind, operations, createState }: SubjectSetup<State>,
  ) {
    const id = takeId();
    this.#kind = kind;
    this.#operations = operations;
    this.#own = id === undefined ? { state: createState() } : undefined;
    this.#id = id ?? randomName();
    makeKnown(this.#id, managed);
  }

  /**
   * Calls a method. Values are copied on their way in and out, here as from
   * elsewhere.
   */
  async call(method: string, ...args: unknown[]): Promise<unknown> {
    if (!this.#own) return await this.#ask(method, args);
    const name = `${this.#kind}.${method}()`;
    const given = holdsPrimitives(args)
      ? args
      : copy(args, `the arguments of ${name}`);
    const result = this.#operations[method]!(this.#own.state, given);
    return copy(result, `the result of ${name}`);
  }

  /** Calls a method with values that are nobody else's. */
  perform(method: string, args: unknown[]): unknown {
    return this.#own
      ? this.#operations[method]!(this.#own.state, args)
      : this.#ask(method, args);
  }

  /** How the object is sent. */
  send(): SharedState {
    return { kind: this.#kind, parts: [this.#id] };
  }

  #ask(method: string, args: unknown[]): Promise<unknown> {
    return askOwner({ id: this.#id, kind: this.#kind, method, args });
  }
}

/** A copy of a value as another thread would get it. */
export function copy<T>(value: T, what: string): T {
  if (isPrimitive(value)) return value;
  const packed = pack(value, what);
  try {
    return unpack(structuredClone(packed)) as T;
  } catch {
    throw explainCloneFailure(value, what);
  }
}

// --- classes ---

/** The ID of the object that is made next, if it exists elsewhere. */
let givenId: string | undefined;

function takeId(): string | undefined {
  const id = givenId;
  givenId = undefined;
  return id;
}

interface ManagedClass {
  readonly prototype: Managed;
  new (): Managed;
}

/**
 * Lets the objects of a class be sent. A thread that receives one twice has
 * one object, and its owner the very object.
 */
export function defineManaged(managedClass: ManagedClass, kind: string): void {
  brandShareable(managedClass, kind);
  registerShareable(kind, ([id]) => {
    const known = findManaged(id as string);
    if (known) return known;
    givenId = id as string;
    try {
      return new managedClass();
    } finally {
      givenId = undefined;
    }
  });
}
