import { runtime } from "./runtime/detect.ts";
import { currentWorker } from "./worker/scope.ts";

/**
 * Whether this code runs in the thread that the program started with, and
 * not in a worker. Guards what a module that workers import must not do
 * again there.
 */
export const isMainThread: boolean = currentWorker() === undefined &&
  runtime.isMainThread();

/**
 * The number of CPUs that the program may use.
 *
 * @returns A positive integer.
 */
export function cpuCount(): number {
  return runtime.cpuCount();
}
