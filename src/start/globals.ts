import { rewriteImports } from "../functions/imports.ts";
import { functionText } from "../functions/source_text.ts";
import { serializingCodec } from "../wire/codec.ts";
import type { ProgramGlobals } from "../wire/messages.ts";

/**
 * What the program has put on `globalThis`: values that can be sent, and
 * functions by value. The runtime's own are among them; the worker tells them
 * by having the same. Getters are left alone.
 */
export function snapshotGlobals(): ProgramGlobals {
  const values: Record<string, unknown> = {};
  const texts: Record<string, string> = {};
  const descriptors = Object.getOwnPropertyDescriptors(globalThis);
  for (const [name, { value, enumerable }] of Object.entries(descriptors)) {
    if (!enumerable || value === undefined || value === globalThis) continue;
    if (typeof value === "function") {
      const text = textOf(value, name);
      if (text !== undefined) texts[name] = text;
    } else {
      values[name] = value;
    }
  }
  const names = Object.keys(values);
  const refusals = serializingCodec.refusalsOf(
    Object.values(values),
    (index) => names[index]!,
    undefined,
  );
  refusals.forEach((refusal, index) => {
    if (refusal) delete values[names[index]!];
  });
  return { values: serializingCodec.pack(values, "globals"), texts };
}

// Native functions have no text, and the worker has them anyway.
function textOf(value: unknown, name: string): string | undefined {
  try {
    return rewriteImports(functionText(value as never, name));
  } catch {
    return undefined;
  }
}
