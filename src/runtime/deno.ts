import { randomName } from "../random.ts";
import type {
  Capabilities,
  Runtime,
  WorkerEvents,
  WorkerPort,
  WorkerProgram,
  WorkerRuntime,
} from "./contract.ts";
import { webBootScript } from "./boot_script.ts";
import { dataUrl } from "./data_url.ts";
import type { Permissions } from "./deno_permissions.ts";
import { startDenoProcess, tellMainModule } from "./deno_process.ts";
import { baseWithoutFile, importerAt } from "./import_as.ts";
import { listenAlone, type OwnerPort } from "./owner_port.ts";
import {
  clearInterval,
  setInterval,
  setTimeout,
  type Timer,
} from "../timers.ts";

// --- types ---

interface Locks {
  request(
    name: string,
    options: { ifAvailable?: boolean },
    callback: (lock: unknown) => unknown,
  ): Promise<unknown>;
}

type DenoPort = Pick<OwnerPort, "postMessage">;

interface DenoWorker extends DenoPort {
  onmessage: (event: { data: unknown }) => void;
  onmessageerror: (event: { data: unknown }) => void;
  onerror: (event: { message: string; preventDefault(): void }) => void;
  terminate(): void;
  [keepAlive: symbol]: (on: boolean) => void;
}

interface DenoProcess {
  on(event: string, listener: (code: number) => void): void;
  getBuiltinModule(name: string): unknown;
}

interface ErrorEventLike {
  error?: unknown;
  reason?: unknown;
  preventDefault(): void;
}

interface DenoScope {
  Deno: {
    exit(code?: number): never;
    unrefTimer(id: unknown): void;
    cwd(): string;
    permissions: Permissions;
  };
  Worker: {
    new (url: string, options: { type: "module"; name: string }): DenoWorker;
    prototype: DenoWorker;
  };
  process: DenoProcess;
  navigator: { hardwareConcurrency: number; locks?: Locks };
  name: string;
  close(): void;
  addEventListener(
    type: "error" | "unhandledrejection",
    listener: (event: ErrorEventLike) => void,
  ): void;
}

const scope = globalThis as unknown as DenoScope & OwnerPort;

// --- both sides ---

function builtin<T>(name: string): T {
  return scope.process.getBuiltinModule(name) as T;
}

/** Only where that is known without asking for a permission. */
function baseInWorkingFolder(): string | undefined {
  const { permissions, cwd } = scope.Deno;
  const { state } = permissions.querySync({ name: "read", path: "." });
  return state === "granted" ? baseWithoutFile(cwd(), builtin) : undefined;
}

async function importFrom(
  specifier: string,
  base = baseInWorkingFolder(),
  options?: ImportCallOptions,
): Promise<unknown> {
  if (base?.startsWith("file:") && !URL.canParse(specifier)) {
    return await importerAt(base, builtin)(specifier, options);
  }
  const isRelative = base !== undefined && /^\.{0,2}\//.test(specifier);
  const target = isRelative ? new URL(specifier, base).href : specifier;
  return await import(target, options);
}

/** Deno takes some ms to read its first list of what is to be moved. */
function postTo(
  port: DenoPort,
  message: unknown,
  transfer: ArrayBuffer[],
): void {
  if (transfer.length > 0) port.postMessage(message, transfer);
  else port.postMessage(message);
}

// --- owner ---

const capabilities: Capabilities = {
  stopsBusyThreads: false,
  limitsMemory: true,
  weighsSharedMemory: false,
  lengthensNumbers: true,
};

/** How often a busy worker is checked for a death that nothing announced. */
const CHECK_INTERVAL = 500;

/** How long the last messages of a worker that has ended may take, in ms. */
const LAST_WORDS = 50;

/**
 * Deno's web workers have no `unref()`, but an unnamed symbol under which the
 * runtime's own Node layer sets it. Without it an idle worker keeps the
 * program alive until the pool is stopped.
 */
function keepAliveSymbol(): symbol | undefined {
  const prototype = scope.Worker.prototype;
  return Object.getOwnPropertySymbols(prototype).find((symbol) =>
    !symbol.description && typeof prototype[symbol] === "function" &&
    prototype[symbol].length === 1
  );
}

let workerCount = 0;

function startThread(
  program: WorkerProgram,
  events: WorkerEvents,
): WorkerPort {
  const { locks } = scope.navigator;
  const lockName = `polypool-worker-${workerCount++}-${randomName()}`;
  const bootScript = tellMainModule() + webBootScript;
  const worker = new scope.Worker(dataUrl(bootScript), {
    type: "module",
    name: lockName,
  });
  postTo(worker, program, []);
  const symbol = keepAliveSymbol();
  let alive = true;
  let open = true;
  /** The number of messages. */
  let heard = 0;
  let check: Timer;

  function end(exit: { error?: unknown }): void {
    clearInterval(check);
    if (!open) return;
    open = false;
    keepAlive(false);
    events.onEnd(exit);
  }

  // A worker that has ended sends no event. It held a lock while it lived. As
  // the thread that kept the program alive may be gone, the timer does.
  function watch(on: boolean): void {
    clearInterval(check);
    if (!on || !locks) return;
    check = setInterval(() => {
      if (heard === 0) return;
      whenGone(() => {
        const before = heard;
        // One that has just started, perhaps, did not hold it yet.
        setTimeout(
          () => whenGone(() => heard === before && end({})),
          LAST_WORDS,
        );
      });
    }, CHECK_INTERVAL);
  }

  function whenGone(callback: () => void): void {
    locks!.request(lockName, { ifAvailable: true }, (lock) => {
      if (lock) callback();
    });
  }

  function keepAlive(on: boolean): void {
    // The runtime counts: it must hear each change once.
    if (on === alive) return;
    alive = on;
    if (symbol) worker[symbol]!(on);
    watch(on && open);
  }

  watch(true);
  worker.onmessage = ({ data }) => {
    heard++;
    if (open) events.onMessage(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end({ error: new Error(event.message) });
  };
  worker.onmessageerror = ({ data }) => {
    end({ error: data });
    worker.terminate();
  };

  function terminate(): Promise<void> {
    open = false;
    clearInterval(check);
    // A busy thread goes on; it must not hold the program.
    keepAlive(false);
    worker.terminate();
    return Promise.resolve();
  }

  /** A thread that goes on still holds its lock. */
  async function isGoneAfter(ms: number): Promise<boolean> {
    if (!locks) return true;
    await new Promise<void>((resolve) =>
      scope.Deno.unrefTimer(setTimeout(resolve, ms))
    );
    let isGone = true;
    await locks.request(lockName, { ifAvailable: true }, (lock) => {
      isGone = lock !== null;
    });
    return isGone;
  }

  return {
    post: (message, transfer) => postTo(worker, message, transfer),
    keepAlive,
    terminate,
    isGoneAfter,
    // What the worker printed has left, and no event would tell of its end.
    waitForEnd: terminate,
  };
}

/** Deno, by its web `Worker`. */
export const deno: Runtime = {
  name: "deno",
  capabilities,
  isMainThread: () =>
    globalThis.constructor.name !== "DedicatedWorkerGlobalScope",
  // Its flags for such modules are not passed on.
  isStarting: () => false,
  cpuCount: () => scope.navigator.hardwareConcurrency,
  startThread,
  startProcess: (program, options, events) =>
    startDenoProcess(program, options, events, builtin),
  typescriptLoader: () => undefined,
  importFrom,
  unrefTimer: (timer) => scope.Deno.unrefTimer(timer),
  builtin,
};

// --- worker ---

type ExitHandler = (exitCode: number) => void;

/**
 * `process` takes 12 ms to load in a worker, so its exit event is listened
 * to only when the user's code asks for it.
 */
function onProcessExit(handler: ExitHandler): void {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, "process")!;
  Object.defineProperty(globalThis, "process", {
    configurable: true,
    enumerable: false,
    get() {
      Object.defineProperty(globalThis, "process", descriptor);
      const { process } = scope;
      process.on("exit", handler);
      return process;
    },
    set(value) {
      Object.defineProperty(globalThis, "process", { ...descriptor, value });
    },
  });
}

let rawClose: (() => void) | undefined;

/** The inside of a Deno web worker. */
export const denoWorker: WorkerRuntime = {
  isProcess: false,
  drained: () => undefined,
  onMessage(...handlers) {
    listenAlone(scope, ...handlers);
    // Held until this worker is gone, see watch() above.
    scope.navigator.locks?.request(scope.name, {}, () => new Promise(() => {}));
  },
  post: (message, transfer) => postTo(scope, message, transfer),
  onExit(handler) {
    const { Deno } = scope;
    const exit = Deno.exit;
    const close = scope.close;
    rawClose = close.bind(globalThis);
    Deno.exit = (code = 0) => {
      handler(code);
      return exit(code);
    };
    scope.close = () => {
      handler(0);
      close.call(globalThis);
    };
    onProcessExit(handler);
  },
  onStrayError(handler) {
    scope.addEventListener("error", (event) => {
      event.preventDefault();
      handler(event.error);
    });
    scope.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      handler(event.reason);
    });
  },
  close: () => (rawClose ?? scope.close)(),
  beforeImport() {
    // A module can reach `node:process` past the global: load it now.
    void scope.process;
    return Promise.resolve();
  },
  importFrom,
  builtin,
};
