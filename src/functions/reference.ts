import { currentWorker } from "../worker/scope.ts";
import type { FunctionDefinition } from "../wire/messages.ts";
import { captureCaller } from "./caller.ts";
import { nameOf } from "./source_text.ts";

// deno-lint-ignore ban-types
type Callable = Function;
/** A function of any type. */
// deno-lint-ignore no-explicit-any
export type AnyFunction = (...args: any[]) => unknown;

const key = Symbol.for("polypool.references");

/** What is known by reference. */
interface References {
  definitions: WeakMap<Callable, FunctionDefinition>;
  /** What stands for the texts of the functions that each module has wrapped. */
  printsOf: Map<string, string[]>;
}

// A program may have two copies of this library, and a pool of one be given
// functions of the other.
const { definitions, printsOf } =
  (globalThis as { [key]?: References })[key] ??= {
    definitions: new WeakMap(),
    printsOf: new Map(),
  };

/** How workers find the function, if it is known by reference. */
export function referenceOf(fn: Callable): FunctionDefinition | undefined {
  return definitions.get(fn);
}

/**
 * Marks a function to be run by reference: a worker imports the module that
 * called `task()` and runs the very function, with all that its module
 * imports and defines. Call it at the top level of a module.
 *
 * Each worker evaluates the module once; guard side effects other than pools
 * with `isMainThread`, but no call of `task()`: workers must make the same. The
 * semantics are those of Python's `spawn`.
 *
 * @typeParam F The function's type.
 * @param fn The function. It is returned unchanged and can be called as ever.
 * @returns The function itself.
 * @throws {TypeError} If `fn` is not a function, or the calling module cannot
 * be told.
 *
 * @example Usage
 * ```ts ignore
 * import { task, WorkerPool } from "@polypool/polypool";
 *
 * const factor = 3;
 * const triple = task((x: number) => x * factor);
 *
 * await using pool = new WorkerPool({ nJobs: 2 });
 * console.log(await pool.map(triple, [1, 2, 3])); // [3, 6, 9]
 * ```
 */
export function task<F extends AnyFunction>(fn: F): F {
  if (typeof fn !== "function") {
    throw new TypeError(
      `Cannot make a task as 'fn' must be a function: current value is ${fn}`,
    );
  }
  const { url } = captureCaller(task);
  if (url === undefined) {
    throw new TypeError(
      "Cannot make a task as the module that calls task() is unknown: " +
        "call it at the top level of a module",
    );
  }
  const name = nameOf(fn);
  const print = fingerprint(fn);
  const prints = printsOf.get(url) ?? [];
  printsOf.set(url, prints);
  const ordinal = prints.push(print) - 1;
  definitions.set(fn, { kind: "task", name, url, ordinal, prints });
  currentWorker()?.register(url, { ordinal, name, print, task: fn });
  return fn;
}

/** Tells functions with other texts apart, nearly surely. */
function fingerprint(fn: Callable): string {
  const text = Function.prototype.toString.call(fn);
  let hash = 0;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash, 31) + text.charCodeAt(i) | 0;
  }
  return `${text.length}:${hash}`;
}

/** The functions among the exports of a module. */
export type Tasks<Module> = {
  readonly [
    Name in keyof Module as Module[Name] extends AnyFunction ? Name : never
  ]: Module[Name];
};

/**
 * Names the functions of another module for use as tasks. Only workers import
 * the module, once each.
 *
 * @typeParam Module The module's type: `typeof import("./tasks.ts")`.
 * @param url The module's absolute URL, such as
 * `new URL("./tasks.ts", import.meta.url)`.
 * @returns An object with a reference for each exported function. The
 * references are for pools: calling one throws a TypeError.
 * @throws {TypeError} If `url` is not an absolute URL.
 *
 * @example Usage
 * ```ts ignore
 * import { importTasks, WorkerPool } from "@polypool/polypool";
 *
 * const tasks = importTasks<typeof import("./tasks.ts")>(
 *   new URL("./tasks.ts", import.meta.url),
 * );
 * await using pool = new WorkerPool();
 * console.log(await pool.map(tasks.square, [1, 2, 3]));
 * ```
 */
export function importTasks<Module>(url: string | URL): Tasks<Module> {
  const href = typeof url === "string" ? url : url?.href;
  if (typeof href !== "string" || !URL.canParse(href)) {
    throw new TypeError(
      `Cannot import tasks as 'url' must be an absolute URL, such as ` +
        `new URL("./tasks.ts", import.meta.url): current value is ${url}`,
    );
  }
  const made = new Map<string, Callable>();
  return new Proxy({}, {
    get(_target, name) {
      // A promise's `then` is looked for when the object is awaited.
      if (typeof name !== "string" || name === "then") return undefined;
      let reference = made.get(name);
      if (!reference) {
        reference = () => {
          throw new TypeError(
            `Cannot call '${name}' here as it is a reference to a function ` +
              `of ${href}: pass it to a pool`,
          );
        };
        Object.defineProperty(reference, "name", { value: name });
        definitions.set(reference, { kind: "export", name, url: href });
        made.set(name, reference);
      }
      return reference;
    },
  }) as Tasks<Module>;
}
