import type { WorkerRuntime } from "../runtime/contract.ts";
import type { TaskDefinition } from "../wire/messages.ts";
import { exportOf } from "./exports.ts";
import type { FunctionFinder } from "./find_function.ts";
import { withoutImporter } from "./import_errors.ts";
import { matchTask } from "./match_task.ts";
import { enterWorker, type RegisteredTask, type WorkerScope } from "./scope.ts";
import { setTimeout } from "../timers.ts";

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
  /** By the URL of their module and their ordinal. */
  #tasks = new Map<string, RegisteredTask>();
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
      register: (url, task) => {
        const key = `${url}#${task.ordinal}`;
        this.#tasks.set(key, task);
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
    return await this.#load(() =>
      this.#runtime.importFrom(specifier, base, options)
    );
  }

  /** The function that the module at `url` exports as `name`. */
  async findExport(url: string, name: string): Promise<Callable> {
    return exportOf(await this.#import(url), url, name);
  }

  /** A function that its module wrapped with `task()`. */
  async findTask(definition: TaskDefinition): Promise<Callable> {
    const { url, ordinal, name, prints } = definition;
    const key = `${url}#${ordinal}`;
    const registered = new Promise<void>((resolve) =>
      this.#waiting.set(key, resolve)
    );
    // The module may never finish: at its top level it may await the very
    // pool that this worker belongs to, and that call is inert here.
    const stuck = this.#inertCall.then(() =>
      new Promise((resolve) => setTimeout(resolve, INERT_GRACE))
    );
    const evaluated = this.#tasks.has(key) ? undefined : this.#import(url);
    if (evaluated) await Promise.race([registered, evaluated, stuck]);
    this.#waiting.delete(key);
    const found = this.#tasks.get(key);
    if (found && found.print === prints[ordinal] && found.name === name) {
      return found.task;
    }
    // Another one, perhaps: then all that the module wraps must be known.
    await Promise.race([evaluated ?? this.#import(url), stuck]);
    const all = [...this.#tasks].filter(([key]) => key.startsWith(`${url}#`));
    return matchTask(definition, all.map(([, task]) => task));
  }

  /** Imports a module that no task asked for. */
  async preload(specifier: string, base: string | undefined): Promise<void> {
    this.#tellTasksApart();
    await this.importFrom(specifier, base);
  }

  async #import(url: string): Promise<Record<string, unknown>> {
    this.#tellTasksApart();
    return await this.#load(() => import(url));
  }

  async #load<M>(load: () => Promise<M>): Promise<M> {
    await this.#prepare();
    try {
      return await load();
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
