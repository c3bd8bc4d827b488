import { reviveFunction } from "../functions/revive.ts";
import { rewriteImports } from "../functions/imports.ts";
import { functionText } from "../functions/source_text.ts";
import type { Codec } from "../wire/codec.ts";
import type { ProgramGlobals } from "../wire/messages.ts";
import type { FunctionFinder } from "./find_function.ts";

const scope = globalThis as unknown as Record<string, unknown>;

/** Puts on `globalThis` what the program had there, and this worker has not. */
export function installGlobals(
  { values, texts }: ProgramGlobals,
  codec: Codec,
  finder: FunctionFinder,
): void {
  const importFrom = (specifier: string, options?: ImportCallOptions) =>
    finder.importFrom(specifier, undefined, options);
  for (const [name, value] of Object.entries(codec.unpack(values) as object)) {
    // Objects that are here, too, are the runtime's own.
    const isOther = Object(value) === value
      ? !Object.hasOwn(scope, name)
      : !Object.is(scope[name], value);
    if (isOther) set(name, value);
  }
  for (const [name, text] of Object.entries(texts)) {
    if (Object.hasOwn(scope, name) && textOf(scope[name]) === text) continue;
    try {
      set(name, reviveFunction(text, { name, importFrom, scope: {} }));
    } catch {
      // One of the runtime's own, whose text says nothing here.
    }
  }
}

function set(name: string, value: unknown): void {
  // One of the runtime's own may not be writable here.
  Reflect.set(scope, name, value);
}

function textOf(value: unknown): string | undefined {
  try {
    return rewriteImports(functionText(value, ""));
  } catch {
    return undefined;
  }
}
