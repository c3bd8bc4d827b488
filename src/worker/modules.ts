import type { WorkerRuntime } from "../runtime/contract.ts";
import { exportOf } from "./exports.ts";
import type { FunctionFinder } from "./find_function.ts";
import { withoutImporter } from "./import_errors.ts";
import { enterWorker, type WorkerScope } from "./scope.ts";

// deno-lint-ignore ban-types
type Callable = Function;

interface AsyncContext {
  run<R>(store: true, callback: () => R): R;
  getStore(): true | undefined;
}

/** How long a registration may follow the call of an inert pool, in ms. */
const INERT_GRACE = 1000;

/** The user's modules in a worker, and the functions found there. */
export class Modules implements FunctionFinder {
  #runtime: WorkerRuntime;
  #typescriptLoader: string | undefined;
  #prepared: Promise<void> | undefined;
  #context: AsyncContext | undefined;
  #tasks = new Map<string, { name: string; task: Callable }>();
  #waiting = new Map<string, () => void>();
  readonly #scope: WorkerScope;
  #inertCall: Promise<void>;
  #noteInertCall: () => void;

  constructor(
    runtime: WorkerRuntime,
    typescriptLoader: string | undefined,
  ) {
    this.#runtime = runtime;
    this.#typescriptLoader = typescriptLoader;
    let note: () => void;
    this.#inertCall = new Promise((resolve) => note = resolve);
    this.#noteInertCall = note!;
    this.#scope = {
      workerId: -1,
      typescriptLoader,
      register: (url, ordinal, name, task) => {
        const key = `${url}#${ordinal}`;
        this.#tasks.set(key, { name, task });
        this.#waiting.get(key)?.();
      },
      // Without modules imported for functions, only tasks run here.
      isInTask: () => !this.#context || this.#context.getStore() === true,
      noteInertCall: () => this.#noteInertCall(),
    };
    enterWorker(this.#scope);
  }

  /** The worker gets its ID. */
  setWorkerId(workerId: number): void {
    this.#scope.workerId = workerId;
  }

  /** Runs code of a task, so that pools made by it are known as its own. */
  runInTask<R>(callback: () => R): R {
    return this.#context ? this.#context.run(true, callback) : callback();
  }

  /** The `import()` of functions sent by value. */
  async importFrom(
    specifier: string,
    base: string | undefined,
    options?: ImportCallOptions,
  ): Promise<unknown> {
    await this.#prepare();
    try {
      return await this.#runtime.importFrom(specifier, base, options);
    } catch (error) {
      throw withoutImporter(error);
    }
  }

  /** The function that the module at `url` exports as `name`. */
  async findExport(url: string, name: string): Promise<Callable> {
    return exportOf(await this.#import(url), url, name);
  }

  /** The function that the module at `url` wrapped with `task()`. */
  async findTask(
    url: string,
    ordinal: number,
    name: string,
  ): Promise<Callable> {
    const key = `${url}#${ordinal}`;
    const registered = new Promise<void>((resolve) =>
      this.#waiting.set(key, resolve)
    );
    // The module may never finish: at its top level it may await the very
    // pool that this worker belongs to, and that call is inert here.
    const evaluated = this.#tasks.has(key) ? undefined : this.#import(url);
    const stuck = this.#inertCall.then(() =>
      new Promise((resolve) => setTimeout(resolve, INERT_GRACE))
    );
    if (evaluated) await Promise.race([registered, evaluated, stuck]);
    this.#waiting.delete(key);
    const found = this.#tasks.get(key);
    if (found === undefined || found.name !== name) {
      throw new ReferenceError(
        `Cannot find task ${name ? `'${name}'` : `number ${ordinal + 1}`} in ` +
          `${url}: call task() at the top level of the module, in the same ` +
          `order in every worker`,
      );
    }
    return found.task;
  }

  /** Imports a module that no task asked for. */
  async preload(specifier: string, base: string | undefined): Promise<void> {
    this.#tellTasksApart();
    await this.importFrom(specifier, base);
  }

  async #import(url: string): Promise<Record<string, unknown>> {
    this.#tellTasksApart();
    await this.#prepare();
    try {
      return await import(url);
    } catch (error) {
      throw withoutImporter(error);
    }
  }

  /** From here on code outside any task may run. */
  #tellTasksApart(): void {
    if (this.#context) return;
    const { AsyncLocalStorage } = this.#runtime.builtin<
      { AsyncLocalStorage: new () => AsyncContext }
    >("node:async_hooks");
    this.#context = new AsyncLocalStorage();
  }

  #prepare(): Promise<void> {
    this.#prepared ??= this.#runtime.beforeImport(this.#typescriptLoader);
    return this.#prepared;
  }
}
