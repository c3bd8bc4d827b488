import { usesRequire } from "../functions/imports.ts";
import { helpfulReferenceError } from "../functions/missing_variable.ts";
import { moduleVariables } from "../functions/module_variables.ts";
import { revival, reviveFunction, type Scope } from "../functions/revive.ts";
import type { Codec } from "../wire/codec.ts";
import type { FunctionDefinition, TaskDefinition } from "../wire/messages.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** How a runner comes to functions that are not sent as text. */
export interface FunctionFinder {
  /** Runs code of a task, so that pools made by it are known as its own. */
  runInTask<R>(callback: () => R): R;
  /** Imports a module that no task asked for. */
  preload(specifier: string, base: string | undefined): Promise<void>;
  /** The `import()` of functions sent by value. */
  importFrom(
    specifier: string,
    base: string | undefined,
    options?: ImportCallOptions,
  ): Promise<unknown>;
  /** The function that the module at `url` exports as `name`. */
  findExport(url: string, name: string): Promise<Callable>;
  /** The function that the module at `url` wrapped with `task()`. */
  findTask(definition: TaskDefinition): Promise<Callable>;
}

/** What it takes to find a function. */
export interface FindHost {
  codec: Codec;
  finder: FunctionFinder;
}

/** The function of a definition. */
export function findFunction(
  definition: FunctionDefinition,
  host: FindHost,
): Callable | Promise<Callable> {
  const { finder } = host;
  switch (definition.kind) {
    case "direct":
      return definition.value;
    case "task":
      return finder.findTask(definition);
    case "export":
      return finder.findExport(definition.url, definition.name);
    case "text":
      return textsOf(definition).some(usesRequire)
        ? reviveRequiring(definition, host)
        : revive(definition, host, {});
  }
}

type TextDefinition = Extract<FunctionDefinition, { kind: "text" }>;

function textsOf({ text, closureTexts }: TextDefinition): string[] {
  return [text, ...Object.values(closureTexts)];
}

/** One in whose text `require()` is to be that of the calling module. */
async function reviveRequiring(
  definition: TextDefinition,
  host: FindHost,
): Promise<Callable> {
  let variables: Scope = {};
  try {
    const { createRequire } = await host.finder.importFrom(
      "node:module",
      undefined,
    ) as { createRequire(base: string): unknown };
    variables = { require: createRequire(definition.base!) };
  } catch {
    // No file called: the text sees what a worker has, if anything.
  }
  return revive(definition, host, variables);
}

function revive(
  definition: TextDefinition,
  { codec, finder }: FindHost,
  variables: Scope,
): Callable {
  const { text, base, name, closure, closureTexts, isShared } = definition;
  const importFrom = (specifier: string, options?: ImportCallOptions) =>
    finder.importFrom(specifier, base, options);
  const values = {
    ...variables,
    ...closure && codec.unpack(closure) as Scope,
  };
  const names = Object.keys({ ...values, ...closureTexts });
  // The function's own name is more likely to mean itself.
  const modules = closure
    ? moduleVariables(textsOf(definition), names).filter((m) => m !== name)
    : [];
  const create = revival(text, [...names, ...modules], {
    importFrom,
    name,
    base,
  });

  function createScope(): Scope {
    const scope: Scope = { ...values };
    for (const module of modules) scope[module] = scope;
    for (const [key, helper] of Object.entries(closureTexts)) {
      // Revived when first called: by then it sees the other helpers.
      let revived: Callable | undefined;
      const revive = () =>
        revived ??= reviveFunction(helper, {
          scope,
          importFrom,
          name: key,
          base,
        });
      scope[key] = Object.defineProperties(
        function (this: unknown, ...args: unknown[]): unknown {
          return revive().apply(this, args);
        },
        {
          name: { value: key, configurable: true },
          length: { get: () => revive().length, configurable: true },
        },
      );
    }
    return scope;
  }

  return isShared
    ? (...args: unknown[]) => create(createScope())(...args)
    : create(createScope());
}

/** Adds to a ReferenceError what a function sent by value can see. */
export function explain(
  definition: FunctionDefinition,
  error: unknown,
): unknown {
  if (definition.kind === "text") {
    helpfulReferenceError(error, definition.text, definition.closureTexts);
  }
  return error;
}
