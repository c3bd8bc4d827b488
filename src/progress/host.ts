import { clock, runtime } from "../runtime/detect.ts";
import type { ProgressStream } from "./terminal.ts";
import { clearInterval, setInterval } from "../timers.ts";

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

/** The host of bars on this runtime: they go to stderr. */
export function runtimeHost(): ProgressHost {
  const program = runtime.builtin<NodeProcess>("node:process");
  return {
    stream: program.stderr,
    now: () => clock.now(),
    every(ms, callback) {
      const timer = setInterval(callback, ms);
      runtime.unrefTimer(timer);
      return () => clearInterval(timer);
    },
    atExit(callback) {
      program.on("exit", callback);
      return () => program.off("exit", callback);
    },
  };
}
