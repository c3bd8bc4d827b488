/**
 * The part of a worker's program that most workers never need: locks, queues
 * and the like. It is text in the program, which is evaluated when the first
 * of them arrives: a worker starts 2 ms earlier that need not compile it.
 *
 * @module
 */

import { evaluate } from "../functions/evaluate.ts";
import { modules, script } from "./deferred_script.ts";

type Script = (require: (path: string) => unknown) => void;

/** Makes known all that can be sent and stays the same. */
export function loadPrimitives(): void {
  const run = evaluate(script) as Script;
  run((path) => modules[path]);
}
