import type {
  Capabilities,
  ProcessOptions,
  Runtime,
  WorkerEvents,
  WorkerPort,
  WorkerProgram,
  WorkerRuntime,
} from "./contract.ts";
import {
  evaluatedBootScript,
  isStarting,
  STARTING,
  webBootScript,
} from "./boot_script.ts";
import { startProcess } from "./child_process.ts";
import { dataUrl } from "./data_url.ts";
import { baseWithoutFile } from "./import_as.ts";
import { listenAlone, type OwnerPort } from "./owner_port.ts";
import { within, withResolvers } from "../promises.ts";

// --- types ---

interface BunWorker {
  onmessage: (event: { data: unknown }) => void;
  onerror: (event: { message: string; preventDefault(): void }) => void;
  addEventListener(
    type: "close",
    listener: (e: { code?: number }) => void,
  ): void;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  ref(): void;
  unref(): void;
  terminate(): void;
}

interface BunScope extends OwnerPort {
  Bun: {
    isMainThread: boolean;
    resolveSync(specifier: string, from: string): string;
    fileURLToPath(url: string): string;
  };
  Worker: new (url: string, options: { type: "module" }) => BunWorker;
  process: {
    execPath: string;
    pid: number;
    cwd(): string;
    env: Record<string, string | undefined>;
    exit(code?: number): never;
    on(event: string, listener: (value: never) => void): void;
    getBuiltinModule(name: string): unknown;
  };
  navigator: { hardwareConcurrency: number };
}

const scope = globalThis as unknown as BunScope;

// --- both sides ---

function builtin<T>(name: string): T {
  return scope.process.getBuiltinModule(name) as T;
}

function importFrom(
  specifier: string,
  base = baseWithoutFile(scope.process.cwd(), builtin),
  options?: ImportCallOptions,
): Promise<unknown> {
  if (URL.canParse(specifier)) return import(specifier, options);
  const { dirname } = builtin<{ dirname(path: string): string }>("node:path");
  try {
    const from = dirname(scope.Bun.fileURLToPath(base));
    return import(scope.Bun.resolveSync(specifier, from), options);
  } catch (error) {
    return Promise.reject(error);
  }
}

// --- owner ---

const capabilities: Capabilities = {
  stopsBusyThreads: true,
  limitsMemory: false,
  weighsSharedMemory: true,
  lengthensNumbers: false,
};

/** After so many ms a worker has loaded, or never will. */
const LONGEST_LOAD = 3000;

function startThread(
  program: WorkerProgram,
  events: WorkerEvents,
): WorkerPort {
  const worker = new scope.Worker(dataUrl(webBootScript), {
    type: "module",
  });
  worker.postMessage(program, []);
  let error: unknown;
  let open = true;
  // Terminating a worker that still loads has crashed Bun: wait for its
  // first message, or its end.
  const { promise: loaded, resolve: setLoaded } = withResolvers<void>();
  const { promise: closed, resolve: setClosed } = withResolvers<void>();
  worker.onmessage = ({ data }) => {
    setLoaded();
    if (open) events.onMessage(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    error = new Error(event.message);
  };
  worker.addEventListener("close", ({ code }) => {
    setLoaded();
    setClosed();
    if (!open) return;
    open = false;
    events.onEnd({ exitCode: code, error });
  });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    keepAlive: (on) => on ? worker.ref() : worker.unref(),
    async terminate() {
      open = false;
      // One that imports what never ends has loaded, and says nothing.
      await within(loaded, LONGEST_LOAD);
      worker.terminate();
      await closed;
    },
    isGoneAfter: () => Promise.resolve(true),
    async waitForEnd(grace) {
      open = false;
      await within(closed, grace);
      worker.terminate();
    },
  };
}

function startBunProcess(
  program: WorkerProgram,
  { isRelayed }: ProcessOptions,
  events: WorkerEvents,
): WorkerPort {
  const { execPath, env, pid } = scope.process;
  // A compiled program would run its own main module again. What its tasks
  // start shall not be told the same.
  const command = {
    path: execPath,
    args: [
      "--eval",
      `delete process.env.BUN_BE_BUN;${evaluatedBootScript(pid)}`,
    ],
    env: { ...env, BUN_BE_BUN: "1", [STARTING]: "1" },
  };
  return startProcess(command, program, isRelayed, builtin, events);
}

/** Bun, by its web `Worker`. */
export const bun: Runtime = {
  name: "bun",
  capabilities,
  isMainThread: () => scope.Bun.isMainThread,
  isStarting: () => isStarting(scope.process.env),
  cpuCount: () => scope.navigator.hardwareConcurrency,
  startThread,
  startProcess: startBunProcess,
  typescriptLoader: () => undefined,
  importFrom,
  // Test environments may put other timers in place of the runtime's.
  unrefTimer: (timer) => (timer as { unref?(): void }).unref?.(),
  builtin,
};

// --- worker ---

/** The inside of a Bun worker. */
export const bunWorker: WorkerRuntime = {
  isProcess: false,
  drained: () => undefined,
  onMessage: (...handlers) => listenAlone(scope, ...handlers),
  post: (message, transfer) => scope.postMessage(message, transfer),
  onExit: (handler) => scope.process.on("exit", handler),
  onStrayError(handler) {
    scope.process.on("uncaughtException", handler);
    scope.process.on("unhandledRejection", handler);
  },
  close: () => scope.process.exit(0),
  beforeImport: () => Promise.resolve(),
  importFrom,
  builtin,
};
