import {
  type ControlBlock,
  FINDING,
  RUNNING,
  setPhase,
} from "../wire/control.ts";
import type { FunctionDefinition } from "../wire/messages.ts";
import type { Announcer } from "./announcer.ts";
import { findFunction, type FindHost } from "./find_function.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** A function that the owner has told of. It is found when it is needed. */
export interface KnownFunction {
  readonly definition: FunctionDefinition;
  /** With its leading arguments in place. */
  callable?: Callable;
}

/** The functions that a worker has been told of, by ID. */
export class KnownFunctions {
  readonly #byId = new Map<number, KnownFunction>();
  readonly #control: ControlBlock;
  readonly #host: FindHost & { announcer: Announcer | undefined };
  readonly #leading: readonly unknown[];

  /** `leading` are the arguments that each function gets before its own. */
  constructor(
    control: ControlBlock,
    host: FindHost & { announcer: Announcer | undefined },
    leading: readonly unknown[],
  ) {
    this.#control = control;
    this.#host = host;
    this.#leading = leading;
  }

  /** The owner has told of a function. */
  define(id: number, definition: FunctionDefinition): void {
    this.#byId.set(id, { definition });
  }

  /** The owner sends no more tasks of a function. */
  forget(id: number): void {
    this.#byId.delete(id);
  }

  /** What is known by the ID. */
  get(id: number): KnownFunction {
    return this.#byId.get(id)!;
  }

  /**
   * Finds the function, and puts its leading arguments in place: to spread
   * them in each call takes numbers twice the time, and JavaScriptCore 15 ms
   * in each worker to compile.
   */
  async find(known: KnownFunction): Promise<Callable> {
    const { announcer } = this.#host;
    setPhase(this.#control, FINDING);
    await announcer?.setPhase(FINDING);
    try {
      const found = await findFunction(known.definition, this.#host);
      return known.callable = this.#leading.length === 0
        ? found
        : Function.prototype.bind.call(found, undefined, ...this.#leading);
    } finally {
      setPhase(this.#control, RUNNING);
      void announcer?.setPhase(RUNNING);
    }
  }
}
