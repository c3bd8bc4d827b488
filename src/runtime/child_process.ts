import {
  type ProgressStream,
  type ProgressTerminal,
  terminalOf,
} from "../progress/terminal.ts";
import { within, withResolvers } from "../promises.ts";
import type { WorkerEvents, WorkerPort, WorkerProgram } from "./contract.ts";
import { readMessage } from "./read_message.ts";

// --- types ---

/** A program and what it is given. */
export interface Command {
  path: string;
  args: string[];
  env: Record<string, string | undefined> | undefined;
}

interface Referenced {
  ref?(): void;
  unref?(): void;
}

interface Readable extends Referenced {
  on(event: "data", listener: (data: Uint8Array) => void): void;
  on(event: "close" | "error", listener: () => void): void;
}

interface ChildProcess extends Referenced {
  channel?: Referenced | null;
  stderr: Readable;
  connected: boolean;
  /** None if it could not be started. */
  pid?: number;
  send(message: unknown, onSent: () => void): void;
  disconnect(): void;
  kill(signal: string): void;
  on(event: string, listener: (...values: never[]) => void): void;
}

interface Modules {
  "node:child_process": {
    spawn(path: string, args: string[], options: object): ChildProcess;
  };
  "node:v8": {
    serialize(value: unknown): Uint8Array;
    deserialize(bytes: Uint8Array): unknown;
  };
  "node:process": {
    stderr: ProgressStream;
  };
}

type Builtin = <T>(name: string) => T;

/** Messages that are bytes already. */
const asBytes: Modules["node:v8"] = {
  serialize: (bytes) => bytes as Uint8Array,
  deserialize: (bytes) => bytes,
};

/** How long an end waits for what may still come before it, in ms. */
const LAST_WORDS = 250;

/** The most of what a process wrote on stderr that is kept, in characters. */
const TAIL = 2000;

/**
 * Starts a process that runs the program. Each message is one array of
 * bytes: a value that cannot be serialized then throws here, on each runtime,
 * and never breaks the channel. Its group is its own, so that Ctrl-C reaches
 * it only through its owner.
 */
export function startProcess(
  { path, args, env }: Command,
  program: WorkerProgram,
  isRelayed: boolean,
  builtin: Builtin,
  events: WorkerEvents,
): WorkerPort {
  const module = <N extends keyof Modules>(name: N) =>
    builtin<Modules[N]>(name);
  const { serialize, deserialize } = isRelayed ? asBytes : module("node:v8");
  const child = module("node:child_process").spawn(path, args, {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    serialization: "advanced",
    detached: true,
    env,
  });
  let open = true;
  let error: unknown;
  let exit: [code: number | null, signal: string | null] = [null, null];
  let stderr = "";
  let terminal: ProgressTerminal | undefined;
  const decoder = new TextDecoder();
  const exited = withResolvers<void>();
  const disconnected = withResolvers<void>();
  const silent = withResolvers<void>();

  child.on("message", (bytes: Uint8Array) => {
    // What user code there says to its parent is for nobody.
    if (!open || !ArrayBuffer.isView(bytes)) return;
    readMessage(
      bytes,
      deserialize,
      (message) => events.onMessage(message),
      (reason) => {
        error = reason;
        child.kill("SIGKILL");
      },
    );
  });
  child.on("error", (reason: unknown) => {
    // That it could not be killed, or sent to, says nothing.
    if (child.pid !== undefined) return;
    error = reason;
    for (const end of [exited, disconnected, silent]) end.resolve();
  });
  child.on("disconnect", () => disconnected.resolve());
  child.on("exit", (code: number | null, signal: string | null) => {
    exit = [code, signal];
    exited.resolve();
  });
  child.stderr.on("data", (data) => {
    const text = decoder.decode(data, { stream: true });
    stderr = (stderr + text).slice(-TAIL);
    terminal ??= terminalOf(module("node:process").stderr);
    terminal.write(text);
  });
  child.stderr.on("close", () => silent.resolve());
  child.stderr.on("error", () => silent.resolve());

  let isKeeping = true;
  function keepAlive(on: boolean): void {
    // A runtime may count: it must hear each change once.
    if (on === isKeeping) return;
    isKeeping = on;
    const method = on ? "ref" : "unref";
    for (const handle of [child, child.channel, child.stderr]) {
      try {
        handle?.[method]?.();
      } catch {
        // It has ended, and Deno has not told yet.
      }
    }
  }

  /** On some runtimes the exit is heard of before the last messages. */
  async function awaitEnd(): Promise<void> {
    await exited.promise;
    const last = Promise.all([disconnected.promise, silent.promise]);
    await within(last, LAST_WORDS);
    // Deno may not have seen that the channel is closed.
    keepAlive(false);
    if (child.connected) child.disconnect();
    if (!open) return;
    open = false;
    const [exitCode, signal] = exit;
    events.onEnd({
      exitCode: exitCode ?? undefined,
      signal: signal ?? undefined,
      error,
      stderr: stderr.trim() || undefined,
    });
  }

  const noop = () => {};
  void awaitEnd();
  child.send(program, noop);
  return {
    post: (message) => child.send(serialize(message), noop),
    keepAlive,
    async terminate() {
      open = false;
      keepAlive(true);
      child.kill("SIGKILL");
      await exited.promise;
    },
    isGoneAfter: () => Promise.resolve(true),
    async waitForEnd(grace) {
      open = false;
      keepAlive(true);
      if (child.connected) child.disconnect();
      await within(exited.promise, grace);
      child.kill("SIGKILL");
      await exited.promise;
    },
  };
}
