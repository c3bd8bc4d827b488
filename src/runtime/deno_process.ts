import { bootScript, isPoolProcess } from "./boot_script.ts";
import { startProcess } from "./child_process.ts";
import type {
  ProcessOptions,
  WorkerEvents,
  WorkerPort,
  WorkerProgram,
} from "./contract.ts";
import { permissionFlags, type Permissions } from "./deno_permissions.ts";
import { standaloneRefusal } from "./standalone.ts";

type Builtin = <T>(name: string) => T;

interface DenoNamespace {
  execPath(): string;
  /** None in a thread. */
  mainModule: string | undefined;
  pid: number;
  args: string[];
  build: { standalone: boolean };
  env: { toObject(): Record<string, string> };
  permissions: Permissions;
}

const { Deno } = globalThis as unknown as { Deno: DenoNamespace };

const MAIN = Symbol.for("polypool.main");

const scope = globalThis as { [MAIN]?: string };

/** The program's main module, as each worker has been told. */
function mainModule(): string | undefined {
  return scope[MAIN] ?? (isPoolProcess() ? Deno.args[0] : Deno.mainModule);
}

/** Code that tells a thread. */
export function tellMainModule(): string {
  return `globalThis[Symbol.for("${MAIN.description}")]=` +
    `${JSON.stringify(mainModule())};`;
}

/** The file that imports of the program's modules are configured by. */
function configOfProgram(builtin: Builtin): string | undefined {
  try {
    const { existsSync } = builtin<{ existsSync(path: URL): boolean }>(
      "node:fs",
    );
    const { fileURLToPath } = builtin<{ fileURLToPath(url: URL): string }>(
      "node:url",
    );
    let folder = new URL(".", mainModule()!);
    while (true) {
      for (const name of ["deno.json", "deno.jsonc"]) {
        const file = new URL(name, folder);
        if (existsSync(file)) return fileURLToPath(file);
      }
      const parent = new URL("..", folder);
      if (parent.href === folder.href) return undefined;
      folder = parent;
    }
  } catch {
    // A program that may not read files imports none.
    return undefined;
  }
}

function refusal(cause: unknown): Error {
  return new Error(
    "Cannot start a process as the program may not: it needs the " +
      "permissions --allow-run and --allow-env",
    { cause },
  );
}

/** Starts a Deno process with the permissions of this one. */
export function startDenoProcess(
  program: WorkerProgram,
  { memoryLimit, isRelayed }: ProcessOptions,
  events: WorkerEvents,
  builtin: Builtin,
): WorkerPort {
  const { permissions, build } = Deno;
  if (build.standalone) throw standaloneRefusal();
  const isGranted = (name: string) =>
    permissions.querySync({ name }).state === "granted";
  let path: string;
  try {
    path = Deno.execPath();
    if (
      permissions.querySync({ name: "run", command: path }).state !== "granted"
    ) throw new Error("run access is needed");
  } catch (cause) {
    throw refusal(cause);
  }
  const config = configOfProgram(builtin);
  const memory = memoryLimit === undefined
    ? []
    : [`--v8-flags=--max-old-space-size=${memoryLimit}`];
  const command = {
    path,
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      ...config === undefined ? [] : ["--config", config],
      ...memory,
      ...permissionFlags(permissions, path),
      `data:text/javascript,${encodeURIComponent(bootScript(Deno.pid))}`,
      mainModule() ?? "",
    ],
    env: isGranted("env") ? Deno.env.toObject() : {},
  };
  try {
    return startProcess(command, program, isRelayed, builtin, events);
  } catch (error) {
    // Deno's Node layer reads a variable that all processes are to have.
    throw (error as Error).name === "NotCapable" ? refusal(error) : error;
  }
}
