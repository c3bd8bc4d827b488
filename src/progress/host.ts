import { runtime } from "../runtime/detect.ts";
import type { ProgressStream } from "./terminal.ts";

/** What bars need from the world. */
export interface ProgressHost {
  /** Where bars go when the options do not say. */
  stream: ProgressStream;
  /** The clock, in milliseconds. */
  now(): number;
  /**
   * Calls back every `ms`, without keeping the program alive. Returns how to
   * stop that.
   */
  every(ms: number, callback: () => void): () => void;
  /**
   * Calls back when the program ends, unless a signal kills it. Returns how
   * to stop that.
   */
  atExit(callback: () => void): () => void;
}

interface NodeProcess {
  stderr: ProgressStream;
  on(event: "exit", listener: () => void): void;
  off(event: "exit", listener: () => void): void;
}

interface NodeTimers {
  setInterval(callback: () => void, ms: number): { unref(): void };
  clearInterval(timer: unknown): void;
}

/** The host of bars on this runtime: they go to stderr. */
export function runtimeHost(): ProgressHost {
  const program = runtime.builtin<NodeProcess>("node:process");
  // The global timers of some runtimes are numbers, which have no `unref()`.
  const timers = runtime.builtin<NodeTimers>("node:timers");
  return {
    stream: program.stderr,
    now: () => performance.now(),
    every(ms, callback) {
      const timer = timers.setInterval(callback, ms);
      timer.unref();
      return () => timers.clearInterval(timer);
    },
    atExit(callback) {
      program.on("exit", callback);
      return () => program.off("exit", callback);
    },
  };
}
