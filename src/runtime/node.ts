import type {
  Capabilities,
  Clock,
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
  nodeBootScript,
  STARTING,
} from "./boot_script.ts";
import { startProcess } from "./child_process.ts";
import { dataUrl } from "./data_url.ts";
import { baseWithoutFile, importerAt } from "./import_as.ts";
import { killedWithOwner } from "./killed_with_owner.ts";
import { loadNative } from "./native.ts";
import { standaloneRefusal } from "./standalone.ts";
import { within, withResolvers } from "../promises.ts";
import { setTimeout } from "../timers.ts";

// --- types ---

interface NodePort {
  on(event: string, listener: (value: never) => void): void;
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
  close(): void;
}

interface NodeWorker extends NodePort {
  ref(): void;
  unref(): void;
  terminate(): Promise<number>;
}

interface WorkerThreads {
  Worker: new (url: URL, options: { execArgv?: string[] }) => NodeWorker;
  isMainThread: boolean;
  parentPort: NodePort;
}

interface NodeProcess {
  execArgv: string[];
  argv: string[];
  execPath: string;
  pid: number;
  env: Record<string, string | undefined>;
  versions: { node: string };
  cwd(): string;
  hrtime(): [seconds: number, nanoseconds: number];
  exit(code?: number): never;
  on(event: string, listener: (value: never) => void): void;
  getBuiltinModule(name: string): unknown;
}

const scope = globalThis as unknown as { process: NodeProcess };

// --- both sides ---

// Static imports of node: modules would slow the start of other runtimes.
function builtin<T>(name: string): T {
  return scope.process.getBuiltinModule(name) as T;
}

/** The same as `performance`, which takes a ms to load in each thread. */
export function nodeClock(): Clock {
  // Kept, as is said of timers: see timers.ts.
  const { hrtime } = scope.process;
  return {
    now() {
      const [seconds, nanoseconds] = hrtime();
      return seconds * 1e3 + nanoseconds / 1e6;
    },
  };
}

async function importFrom(
  specifier: string,
  base = baseWithoutFile(scope.process.cwd(), builtin),
  options?: ImportCallOptions,
): Promise<unknown> {
  return base.startsWith("file:")
    ? await importerAt(base, builtin)(specifier, options)
    : await import(specifier, options);
}

// --- owner ---

const capabilities: Capabilities = {
  stopsBusyThreads: true,
  limitsMemory: true,
  weighsSharedMemory: false,
  lengthensNumbers: true,
};

function createThread(url: URL): NodeWorker {
  const { Worker } = builtin<WorkerThreads>("node:worker_threads");
  try {
    return new Worker(url, workerOptions());
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_WORKER_INVALID_EXEC_ARGV") {
      throw error;
    }
    // Flags of the engine can be inherited, but not named.
    return new Worker(url, {});
  }
}

function startThread(
  program: WorkerProgram,
  events: WorkerEvents,
): WorkerPort {
  const worker = createThread(new URL(dataUrl(nodeBootScript)));
  worker.postMessage(program);
  let error: unknown;
  let open = true;
  const exited = withResolvers<void>();
  worker.on("message", (message) => open && events.onMessage(message));
  worker.on("error", (reason) => error = reason);
  worker.on("messageerror", (reason) => {
    error = reason;
    worker.terminate();
  });
  worker.on("exit", (exitCode) => {
    exited.resolve();
    if (!open) return;
    open = false;
    events.onEnd({ exitCode, error });
  });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    keepAlive: (on) => on ? worker.ref() : worker.unref(),
    terminate: async () => {
      open = false;
      await worker.terminate();
    },
    isGoneAfter: () => Promise.resolve(true),
    async waitForEnd(grace) {
      open = false;
      await within(exited.promise, grace);
      await worker.terminate();
    },
  };
}

/**
 * Workers inherit `--import tsx`, but before Node 22 tsx does nothing in a
 * worker unless it is registered there by hand.
 */
const registersByHand = () => Number.parseInt(scope.process.versions.node) < 22;

/** The flags of the program, each with its value if that comes after it. */
function flagsOfProgram(args = scope.process.execArgv): string[][] {
  const flags: string[][] = [];
  for (const argument of args) {
    if (argument.startsWith("-")) flags.push([argument]);
    else flags.at(-1)?.push(argument);
  }
  return flags;
}

/** Whether the flag loads tsx. */
function loadsTsx([flag, value = ""]: string[]): boolean {
  return isTsx(flag!) ||
    /^(--import|--(?:experimental-)?loader|--require|-r)$/.test(flag!) &&
      isTsx(value);
}

function isTsx(flag: string): boolean {
  return /(^|[/\\=])tsx($|[/\\])/.test(flag);
}

/** Without flags that do nothing there, a worker starts in a third the time. */
function workerOptions(): { execArgv?: string[] } {
  const flags = flagsOfProgram();
  if (!registersByHand() || !flags.some(loadsTsx)) return {};
  return { execArgv: flags.filter((flag) => !loadsTsx(flag)).flat() };
}

/** Flags of a program that are not for its processes. */
const OWN_FLAG =
  /^(?:-[cepi]|-pe|--(?:eval|print|check|interactive|input-type|run|test|watch|inspect|debug|env-file|build-snapshot|cpu-prof|heap-prof)\b.*)$/;

/**
 * The program's flags for its processes. They import tsx when they need it,
 * as it doubles the time of their start.
 */
function processFlags(): string[] {
  return flagsOfProgram()
    .filter((flag) => !loadsTsx(flag) && !OWN_FLAG.test(flag[0]!))
    .flat();
}

function startNodeProcess(
  program: WorkerProgram,
  { memoryLimit, isRelayed }: ProcessOptions,
  events: WorkerEvents,
): WorkerPort {
  const { execPath, env, pid } = scope.process;
  const { isSea } = builtin<{ isSea?(): boolean }>("node:sea") ?? {};
  if (isSea?.()) throw standaloneRefusal();
  const args = [...processFlags()];
  if (memoryLimit !== undefined) {
    args.push(`--max-old-space-size=${memoryLimit}`);
  }
  // The type of input, if it were told, would be inherited and then refused.
  args.push("--eval", evaluatedBootScript(pid));
  // In a program that is watched Node would use the channel for reports.
  const { WATCH_REPORT_DEPENDENCIES: _, ...childEnv } = env;
  childEnv[STARTING] = "1";
  const command = { path: execPath, args, env: childEnv };
  return startProcess(
    "reason" in loadNative() ? killedWithOwner(command, builtin) : command,
    program,
    isRelayed,
    builtin,
    events,
  );
}

/** The same for flags of the environment, which processes inherit. */
function flagsOfEnvironment(): string[][] {
  const words = scope.process.env["NODE_OPTIONS"]?.match(/"[^"]*"|[^\s"]+/g);
  return flagsOfProgram(words?.map((word) => word.replaceAll('"', "")) ?? []);
}

/** The URL of a module of tsx, as the program has found it. */
function urlOfTsx(folder: string | undefined): string | undefined {
  const { createRequire } = builtin<
    { createRequire(path: string): { resolve(name: string): string } }
  >("node:module");
  const { pathToFileURL } = builtin<{ pathToFileURL(path: string): URL }>(
    "node:url",
  );
  // By then the folder may be another, or its module be found from there only.
  for (const base of [folder && `${folder}/index.js`, scope.process.argv[1]]) {
    try {
      const path = createRequire(base!).resolve("tsx/esm/api");
      return pathToFileURL(path.replace(/\.cjs$/, ".mjs")).href;
    } catch {
      // Whoever imports TypeScript hears of it.
    }
  }
  return undefined;
}

function typescriptLoader(
  forProcess: boolean,
  folder: string | undefined,
): string | undefined {
  if (!forProcess && !registersByHand()) return undefined;
  const flags = flagsOfProgram();
  if (!forProcess) flags.push(...flagsOfEnvironment());
  const flag = flags
    .filter(loadsTsx)
    .map((flag) =>
      flag.at(-1)!.replace(/^--(import|(experimental-)?loader)=/, "")
    )
    .find((flag) => !flag.startsWith("-") && !flag.endsWith("preflight.cjs"));
  if (flag === undefined) return undefined;
  if (/dist[/\\]loader\.mjs$/.test(flag)) {
    return flag.replace(/loader\.mjs$/, "esm/api/index.mjs");
  }
  return urlOfTsx(folder);
}

/** The working folder, which another program may have removed. */
function workingFolder(): string | undefined {
  try {
    return scope.process.cwd();
  } catch {
    return undefined;
  }
}

/** Node, by `node:worker_threads`. */
export function createNode(): Runtime {
  // Flags name modules as they are found from where the program starts.
  const folder = workingFolder();
  return {
    name: "node",
    capabilities,
    isMainThread: () =>
      builtin<WorkerThreads>("node:worker_threads").isMainThread,
    isStarting: () => isStarting(scope.process.env),
    cpuCount: () =>
      builtin<{ availableParallelism(): number }>("node:os")
        .availableParallelism(),
    startThread,
    startProcess: startNodeProcess,
    typescriptLoader: (forProcess) => typescriptLoader(forProcess, folder),
    importFrom,
    // Test environments may put other timers in place of the runtime's.
    unrefTimer: (timer) => (timer as { unref?(): void }).unref?.(),
    builtin,
  };
}

// --- worker ---

let parentPort: NodePort | undefined;

function port(): NodePort {
  // Kept, as it is asked for with each message.
  parentPort ??= builtin<WorkerThreads>("node:worker_threads").parentPort;
  return parentPort;
}

/** The inside of a Node worker thread. */
export const nodeWorker: WorkerRuntime = {
  isProcess: false,
  drained: () => undefined,
  onMessage(handler, onUnreadable) {
    // By `addEventListener()`, the first event would take 50 ms to make.
    port().on("message", handler);
    port().on("messageerror", onUnreadable);
  },
  post: (message, transfer) => port().postMessage(message, transfer),
  onExit: (handler) => scope.process.on("exit", handler),
  onStrayError(handler) {
    scope.process.on("uncaughtException", handler);
    scope.process.on("unhandledRejection", handler);
  },
  close() {
    // Lets what was posted or printed leave; then nothing of the user's
    // (a timer, a server) may hold the thread.
    port().close();
    const timer = setTimeout(() => scope.process.exit(0), 20);
    (timer as { unref(): void }).unref();
  },
  async beforeImport(typescriptLoader) {
    if (typescriptLoader === undefined) return;
    // A module in a package of CommonJS is required, whoever imports it.
    const required = typescriptLoader.replace(/esm(?=\/api)/, "cjs");
    for (const url of [typescriptLoader, required]) {
      const tsx = await import(url) as { register(): void };
      tsx.register();
    }
  },
  importFrom,
  builtin,
};
