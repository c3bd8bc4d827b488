import type { FunctionDefinition } from "../wire/messages.ts";
import type { Codec } from "../wire/codec.ts";
import { checkUnmarked } from "../wire/transfer.ts";
import { type Caller, RecentCaller } from "./caller.ts";
import { rewriteImports, usesImports } from "./imports.ts";
import { referenceOf } from "./reference.ts";
import { checkClosure } from "./revive.ts";
import { functionText } from "./source_text.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** A function that workers can be told about. */
export interface FunctionHandle {
  readonly id: number;
  readonly definition: FunctionDefinition;
  /** Whether workers may forget it when the call that uses it has ended. */
  readonly temporary: boolean;
  /** Who called with it last. */
  readonly recentCaller: RecentCaller;
}

/** Functions sent by value that are remembered between calls. */
const CACHE_SIZE = 500;

/** Prepares functions for their way to the workers of one pool. */
export class FunctionRegistry {
  #nextId = 1;
  readonly #codec: Codec;
  readonly #inThread: boolean;
  readonly #onEvict: (handle: FunctionHandle) => void;
  readonly #directs = new WeakMap<Callable, FunctionHandle>();
  readonly #references = new Map<string, FunctionHandle>();
  readonly #texts = new Map<string, FunctionHandle>();
  /** Functions that have been seen and do not depend on who called. */
  readonly #known = new WeakMap<Callable, FunctionHandle>();

  /**
   * With `inThread` the workers share the caller's thread and functions pass
   * as they are. `onEvict` hears of functions that workers may forget.
   */
  constructor(
    codec: Codec,
    inThread: boolean,
    onEvict: (handle: FunctionHandle) => void,
  ) {
    this.#codec = codec;
    this.#inThread = inThread;
    this.#onEvict = onEvict;
  }

  /**
   * The handle of `fn`, which the option or parameter `label` holds.
   *
   * @throws {TypeError} If the function cannot be sent.
   */
  handleOf(
    fn: unknown,
    label: string,
    caller: Caller,
    closure?: object,
  ): FunctionHandle {
    if (closure === undefined) {
      return this.callerlessHandleOf(fn, label) ??
        this.#importing(fn as Callable, label, caller);
    }
    if (typeof fn !== "function") functionText(fn, label);
    const reference = referenceOf(fn as Callable);
    if (reference) {
      throw new TypeError(
        `Cannot give a 'closure' to '${reference.name}' as only functions ` +
          `sent by value have one, and it is a reference`,
      );
    }
    checkClosure(closure);
    return this.#enclosed(fn as Callable, label, caller, closure);
  }

  /**
   * The handle of a function that has no closure, unless it depends on who
   * called: that is where it imports from.
   *
   * @throws {TypeError} If the function cannot be sent.
   */
  callerlessHandleOf(fn: unknown, label: string): FunctionHandle | undefined {
    if (typeof fn !== "function") {
      functionText(fn, label);
      return undefined;
    }
    const known = this.#known.get(fn);
    if (known) return known;
    const reference = referenceOf(fn);
    if (reference && !(this.#inThread && reference.kind === "task")) {
      const handle = this.#reference(reference);
      this.#known.set(fn, handle);
      return handle;
    }
    if (this.#inThread) return this.#direct(fn, label);
    const text = rewriteImports(functionText(fn, label));
    if (usesImports(text)) return undefined;
    const handle = this.#text(fn.name, text, undefined);
    this.#known.set(fn, handle);
    return handle;
  }

  /** The same handle each time: workers depend on which function it is. */
  #direct(value: Callable, label: string): FunctionHandle {
    let handle = this.#directs.get(value);
    if (!handle) {
      // What no other start method takes is refused here too.
      functionText(value, label);
      handle = this.#create({ kind: "direct", name: value.name, value }, true);
      this.#directs.set(value, handle);
    }
    return handle;
  }

  #reference(definition: FunctionDefinition): FunctionHandle {
    const key = JSON.stringify(definition);
    let handle = this.#references.get(key);
    if (!handle) {
      handle = this.#create(definition, false);
      this.#references.set(key, handle);
    }
    return handle;
  }

  /** One whose `import()` calls resolve as in the module that called. */
  #importing(fn: Callable, label: string, caller: Caller): FunctionHandle {
    const text = rewriteImports(functionText(fn, label));
    return this.#text(fn.name, text, caller.url);
  }

  #text(name: string, text: string, base: string | undefined): FunctionHandle {
    const key = `${base} ${name} ${text}`;
    let handle = this.#texts.get(key);
    if (!handle) {
      handle = this.#create({
        kind: "text",
        name,
        text,
        base,
        closure: undefined,
        closureTexts: {},
      }, false);
      this.#remember(key, handle);
    }
    return handle;
  }

  #enclosed(
    fn: Callable,
    label: string,
    caller: Caller,
    closure: object,
  ): FunctionHandle {
    const text = rewriteImports(functionText(fn, label));
    const values: Record<string, unknown> = {};
    const closureTexts: Record<string, string> = {};
    for (const [key, value] of Object.entries(closure)) {
      if (typeof value === "function") {
        closureTexts[key] = rewriteImports(
          functionText(value, `closure.${key}`),
        );
      } else {
        values[key] = value;
      }
    }
    checkUnmarked(values, "closure");
    return this.#create({
      kind: "text",
      name: fn.name,
      text,
      base: caller.url,
      closure: this.#codec.pack(values, "'closure'"),
      closureTexts,
    }, true);
  }

  #remember(key: string, handle: FunctionHandle): void {
    this.#texts.set(key, handle);
    if (this.#texts.size <= CACHE_SIZE) return;
    const [oldest, evicted] = this.#texts.entries().next().value!;
    this.#texts.delete(oldest);
    this.#onEvict(evicted);
  }

  #create(definition: FunctionDefinition, temporary: boolean): FunctionHandle {
    const recentCaller = new RecentCaller();
    return { id: this.#nextId++, definition, temporary, recentCaller };
  }
}
