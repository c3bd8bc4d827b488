import type { FunctionDefinition } from "../wire/messages.ts";
import type { Codec } from "../wire/codec.ts";
import { checkUnmarked } from "../wire/transfer.ts";
import { type Caller, RecentCaller } from "./caller.ts";
import { rewriteImports, usesImports } from "./imports.ts";
import { keptNames } from "./kept_names.ts";
import { referenceOf } from "./reference.ts";
import { checkClosure } from "./revive.ts";
import { functionText, nameOf } from "./source_text.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** A function that workers can be told about. */
export interface FunctionHandle {
  readonly id: number;
  readonly definition: FunctionDefinition;
  /**
   * Whether workers may forget it when a call that uses it has ended, as
   * nobody else is going to ask for it.
   */
  temporary: boolean;
  /** Who called with it last. */
  readonly recentCaller: RecentCaller;
}

/** Functions sent by value that are remembered between calls. */
const CACHE_SIZE = 500;

/** Values in closures that are too long to be compared with each call. */
const LONG_VALUE = 1000;

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
    const { text, values, texts } = encloseable(fn, label, closure);
    checkUnmarked(values, "closure");
    return this.#create({
      kind: "text",
      name: nameOf(fn as Callable),
      text,
      base: caller.url,
      closure: this.#codec.pack(values, "'closure'"),
      closureTexts: texts,
      isShared: false,
    }, true);
  }

  /**
   * The handle of a function with a closure, for a single task: the same for
   * all closures that hold the same, so that many calls cost no more than
   * without. None if it depends on who called, or on what can be changed.
   *
   * @throws {TypeError} If the function cannot be sent.
   */
  sharedHandleOf(
    fn: unknown,
    label: string,
    closure: object,
  ): FunctionHandle | undefined {
    const { text, values, texts } = encloseable(fn, label, closure);
    if ([text, ...Object.values(texts)].some(usesImports)) return undefined;
    const signature = signatureOf(values);
    if (signature === undefined) return undefined;
    const name = nameOf(fn as Callable);
    const key = JSON.stringify([name, text, texts, signature]);
    return this.#texts.get(key) ?? this.#remember(key, {
      kind: "text",
      name,
      text,
      base: undefined,
      closure: this.#codec.pack(values, "'closure'"),
      closureTexts: texts,
      isShared: true,
    });
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
    if (known && !known.temporary) return known;
    const reference = referenceOf(fn);
    if (reference && !(this.#inThread && reference.kind === "task")) {
      const handle = this.#reference(reference);
      this.#known.set(fn, handle);
      return handle;
    }
    if (this.#inThread) return this.#direct(fn, label);
    const text = rewriteImports(functionText(fn, label));
    if (usesImports(text)) return undefined;
    const handle = this.#text(nameOf(fn), text, undefined);
    this.#known.set(fn, handle);
    return handle;
  }

  /** The same handle each time: workers depend on which function it is. */
  #direct(value: Callable, label: string): FunctionHandle {
    let handle = this.#directs.get(value);
    if (!handle) {
      // What no other start method takes is refused here too.
      if (!referenceOf(value)) functionText(value, label);
      handle = this.#create({
        kind: "direct",
        name: nameOf(value),
        value,
      }, true);
      this.#directs.set(value, handle);
    }
    return handle;
  }

  #reference(definition: FunctionDefinition): FunctionHandle {
    // What the module has wrapped beside it may still grow.
    const key = JSON.stringify({ ...definition, prints: undefined });
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
    return this.#text(nameOf(fn), text, caller.url);
  }

  #text(name: string, text: string, base: string | undefined): FunctionHandle {
    const key = `${base} ${name} ${text}`;
    return this.#texts.get(key) ?? this.#remember(key, {
      kind: "text",
      name,
      text,
      base,
      closure: undefined,
      closureTexts: keptNames([text]),
      isShared: false,
    });
  }

  #remember(key: string, definition: FunctionDefinition): FunctionHandle {
    const handle = this.#create(definition, false);
    this.#texts.set(key, handle);
    if (this.#texts.size > CACHE_SIZE) {
      const [oldest, evicted] = this.#texts.entries().next().value!;
      this.#texts.delete(oldest);
      // Calls may still wait that tell workers of it anew.
      evicted.temporary = true;
      this.#onEvict(evicted);
    }
    return handle;
  }

  #create(definition: FunctionDefinition, temporary: boolean): FunctionHandle {
    const recentCaller = new RecentCaller();
    return { id: this.#nextId++, definition, temporary, recentCaller };
  }
}

/** A function that is to have a closure, and what is in that. */
interface Encloseable {
  text: string;
  /** Properties of the closure that are no functions. */
  values: Record<string, unknown>;
  /** The texts of those that are. */
  texts: Record<string, string>;
}

function encloseable(
  fn: unknown,
  label: string,
  closure: object,
): Encloseable {
  const reference = typeof fn === "function" ? referenceOf(fn) : undefined;
  if (reference) {
    throw new TypeError(
      `Cannot give a 'closure' to '${reference.name}' as only functions ` +
        `sent by value have one, and it is a reference`,
    );
  }
  const text = rewriteImports(functionText(fn, label));
  checkClosure(closure);
  const values: Record<string, unknown> = {};
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(closure)) {
    if (typeof value === "function") {
      checkByValue(value, key);
      texts[key] = rewriteImports(functionText(value, `closure.${key}`));
    } else values[key] = value;
  }
  const helpers = keptNames([text, ...Object.values(texts)]);
  return { text, values, texts: { ...helpers, ...texts } };
}

/** Refuses what would lose its module, or is only the name of a function. */
function checkByValue(fn: Callable, key: string): void {
  if (!referenceOf(fn)) return;
  throw new TypeError(
    `Cannot send 'closure.${key}' to a worker as it was made by task() or ` +
      "importTasks(): import it inside the function",
  );
}

/** What tells values apart; `undefined` if one of them can be changed. */
function signatureOf(values: Record<string, unknown>): string[] | undefined {
  const signature: string[] = [];
  for (const [key, value] of Object.entries(values)) {
    const isPrimitive = typeof value !== "symbol" && Object(value) !== value;
    if (!isPrimitive) return undefined;
    const shown = Object.is(value, -0) ? "-0" : String(value);
    if (shown.length > LONG_VALUE) return undefined;
    signature.push(key, typeof value, shown);
  }
  return signature;
}
