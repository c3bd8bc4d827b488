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
  callable?: Callable;
}

/** The functions that a worker has been told of, by ID. */
export class KnownFunctions {
  readonly #byId = new Map<number, KnownFunction>();
  readonly #control: ControlBlock;
  readonly #host: FindHost & { announcer: Announcer | undefined };

  constructor(
    control: ControlBlock,
    host: FindHost & { announcer: Announcer | undefined },
  ) {
    this.#control = control;
    this.#host = host;
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

  /** Finds the function. */
  async find(known: KnownFunction): Promise<Callable> {
    const { announcer } = this.#host;
    setPhase(this.#control, FINDING);
    await announcer?.setPhase(FINDING);
    try {
      known.callable = await findFunction(known.definition, this.#host);
      return known.callable;
    } finally {
      setPhase(this.#control, RUNNING);
      void announcer?.setPhase(RUNNING);
    }
  }
}
