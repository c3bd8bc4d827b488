/**
 * What most workers never need: locks and queues, and how errors are copied,
 * processes are served, insights are measured. It is text in the program,
 * evaluated when it is first called for. To read it as code would take each
 * worker 4 to 6 ms before its first task.
 *
 * Which modules these are is decided in generate.ts. They are imported like
 * any other: the program has stand-ins for them, which call here.
 *
 * @module
 */

import type * as deferredParts from "./deferred_parts.ts";

type Namespaces = typeof deferredParts.modules;

/** What a part exports, as a function of what it imports. */
type Part = (
  require: (path: string) => deferredParts.Namespace,
) => Namespaces;

let parts: typeof deferredParts;
let lateModules: Namespaces | undefined;

/**
 * Says what is deferred. By the program's entry, as the parts import much of
 * the program themselves.
 */
export function deferParts(deferred: typeof deferredParts): void {
  parts = deferred;
}

function evaluatePart(
  evaluate: deferredParts.Evaluation,
  known: Namespaces,
): Namespaces {
  return (evaluate() as Part)((path) => known[path]!);
}

function loadLate(): Namespaces {
  return lateModules ??= evaluatePart(parts.late, parts.modules);
}

/**
 * What stands for a function or class of a late module: calls it, or makes an
 * object of it where it is called by `new`.
 */
export function callLate(
  path: string,
  name: string,
  args: unknown[],
  isNew: boolean,
): unknown {
  const callee = loadLate()[path]![name] as (...args: unknown[]) => unknown;
  return isNew ? Reflect.construct(callee, args) : callee(...args);
}

/** Makes known all that can be sent and stays the same. */
export function loadPrimitives(): void {
  evaluatePart(parts.primitives, { ...parts.modules, ...loadLate() });
}
