import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** How {@linkcode runCommand} starts a program. */
export interface CommandOptions {
  /** Variables added to the environment; `undefined` removes one. */
  env?: Record<string, string | undefined>;
  /** Working folder. */
  cwd?: string | URL;
  /**
   * Milliseconds after which the program is killed.
   *
   * @default {60000}
   */
  timeout?: number;
  /** Text written to the program's input, which is empty otherwise. */
  input?: string;
}

/** How {@linkcode runProgram} starts a program. */
export interface ProgramOptions extends CommandOptions {
  /** Arguments of the program. */
  args?: string[];
  /**
   * Permission flags, for Deno only.
   *
   * @default {["-A"]}
   */
  permissions?: string[];
  /** Flags of Node itself, for Node only. */
  nodeArgs?: string[];
}

/** How a program ended. */
export interface ProgramResult {
  /** Exit code, `null` when a signal ended the program. */
  code: number | null;
  /** The signal that ended the program, or `null`. */
  signal: string | null;
  /** All that it wrote to stdout. */
  stdout: string;
  /** All that it wrote to stderr. */
  stderr: string;
  /** Milliseconds from start to exit. */
  ms: number;
  /** Whether it was killed for taking too long. */
  timedOut: boolean;
}

/** The runtime that the tests run on. */
export const runtimeName: "node" | "deno" | "bun" = "Bun" in globalThis
  ? "bun"
  : "Deno" in globalThis
  ? "deno"
  : "node";

/** Version of the runtime that the tests run on. */
export const runtimeVersion: string = runtimeName === "node"
  ? process.versions.node
  : (process.versions as Record<string, string>)[runtimeName]!;

/** Whether this is a Node that cannot import the file by itself. */
function needsTsx(file: string): boolean {
  if (!/\.[cm]?tsx?$/.test(file)) return false;
  const [major, minor] = runtimeVersion.split(".").map(Number);
  return major! < 22 || (major === 22 && minor! < 18);
}

/** The command that starts a program file on the runtime of the test. */
export function commandOf(
  path: string | URL,
  options: ProgramOptions = {},
): [command: string, args: string[]] {
  const file = path instanceof URL ? fileURLToPath(path) : path;
  const args = options.args ?? [];
  switch (runtimeName) {
    case "deno": {
      const flags = options.permissions ?? ["-A"];
      return [process.execPath, [
        "run",
        "--no-check",
        "--no-prompt",
        ...flags,
        file,
        ...args,
      ]];
    }
    case "bun":
      return [process.execPath, ["run", file, ...args]];
    case "node": {
      // As a URL, for programs outside the repository have no tsx.
      const loader = needsTsx(file)
        ? ["--import", import.meta.resolve("tsx")]
        : [];
      return [process.execPath, [
        ...loader,
        ...options.nodeArgs ?? [],
        file,
        ...args,
      ]];
    }
  }
}

/** Runs a program file on the runtime of the test, in a process of its own. */
export function runProgram(
  path: string | URL,
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const [command, args] = commandOf(path, options);
  return runCommand(command, args, options);
}

/** Runs a command and gathers what it wrote. */
export function runCommand(
  command: string,
  args: string[],
  options: CommandOptions = {},
): Promise<ProgramResult> {
  const { env, cwd, timeout = 60_000, input = "" } = options;
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command, args, {
      env: environment(env),
      cwd: cwd instanceof URL ? fileURLToPath(cwd) : cwd,
      stdio: ["pipe", "pipe", "pipe"],
    });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, timeout);

    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
    // A program that ends without reading its input is no error.
    child.stdin.on("error", () => {}).end(input);

    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      const ms = performance.now() - start;
      const finish = () => {
        clearTimeout(grace);
        resolve({ code, signal, stdout, stderr, ms, timedOut });
      };
      // A grandchild that lives on keeps the pipes open, maybe for ever.
      const grace = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        finish();
      }, 2_000);
      child.on("close", finish);
    });
  });
}

function environment(
  added: Record<string, string | undefined> = {},
): Record<string, string> {
  const all: Record<string, string | undefined> = {
    ...process.env,
    NO_COLOR: "1",
    // Node's test runner marks its children, whose own tests would then
    // report to it instead of running.
    NODE_TEST_CONTEXT: undefined,
    ...added,
  };
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) set[name] = value;
  }
  return set;
}

/** Whether a process with this ID exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}
