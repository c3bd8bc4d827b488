/**
 * What transpilers put into the text of a function and define elsewhere in
 * its module: esbuild and tsx, `bun build`, TypeScript, Babel, swc, oxc (which
 * is in Vite), Istanbul. Helpers for syntax that every supported runtime has
 * had for long are left out, but for those which are a line or two.
 *
 * @module
 */

// deno-lint-ignore ban-types
type Callable = Function;

type Dispose = (this: unknown) => unknown;

interface Disposable {
  value: unknown;
  dispose: Dispose | undefined;
  isAsync: boolean;
}

// Node 20 has the symbols and transpilers know it, but not the error.
const { SuppressedError } = globalThis as {
  SuppressedError?: new (error: unknown, suppressed: unknown) => Error;
};

function suppress(error: unknown, suppressed: unknown): Error {
  if (SuppressedError) return new SuppressedError(error, suppressed);
  return Object.assign(
    new Error("An error was suppressed during disposal"),
    { name: "SuppressedError", error, suppressed },
  );
}

/** Enters a resource of a `using` declaration. */
function addResource<T>(stack: Disposable[], value: T, isAsync: boolean): T {
  if (value === null || value === undefined) {
    if (isAsync) stack.push({ value, dispose: undefined, isAsync });
    return value;
  }
  const methods = value as { [key: symbol]: Dispose | undefined };
  const dispose = isAsync
    ? methods[Symbol.asyncDispose] ?? methods[Symbol.dispose]
    : methods[Symbol.dispose];
  if (typeof dispose !== "function") {
    throw new TypeError("The value of a 'using' declaration is not disposable");
  }
  stack.push({ value, dispose, isAsync });
  return value;
}

/**
 * Disposes of resources, the last one first. Returns a promise as soon as
 * there is one to await.
 */
function disposeResources(
  stack: Disposable[],
  error: unknown,
  hasError: boolean,
): Promise<void> | undefined {
  const fail = (reason: unknown) => {
    error = hasError ? suppress(reason, error) : reason;
    hasError = true;
  };
  const next = (): Promise<void> | undefined => {
    for (let entry = stack.pop(); entry; entry = stack.pop()) {
      try {
        const result = entry.dispose?.call(entry.value);
        if (entry.isAsync) return Promise.resolve(result).then(next, skip);
      } catch (reason) {
        fail(reason);
      }
    }
    if (hasError) throw error;
  };
  const skip = (reason: unknown) => {
    fail(reason);
    return next();
  };
  return next();
}

/** Own enumerable properties, symbols included. */
function ownKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

/** What `addResource()` and `disposeResources()` of TypeScript share. */
interface DisposeScope {
  stack: Disposable[];
  error: unknown;
  hasError: boolean;
}

const addToScope = (scope: DisposeScope, value: unknown, isAsync: boolean) =>
  addResource(scope.stack, value, isAsync);

const disposeScope = ({ stack, error, hasError }: DisposeScope) =>
  disposeResources(stack, error, hasError);

/** What Babel, swc and oxc keep of the declarations of a block. */
function createBlock(): object {
  const stack: Disposable[] = [];
  const none = {};
  const block = {
    e: none as unknown,
    u: <T>(value: T) => addResource(stack, value, false),
    a: <T>(value: T) => addResource(stack, value, true),
    d: () => disposeResources(stack, block.e, block.e !== none),
  };
  return block;
}

/** What `import()` would give of a module that has been required. */
function toNamespace(module: unknown): unknown {
  if ((module as { __esModule?: unknown } | null)?.__esModule) return module;
  return Object.defineProperties({}, {
    // Some getters warn: they are not to be called.
    ...Object.getOwnPropertyDescriptors(Object(module)),
    default: { value: module, enumerable: true },
  });
}

const helpers: Record<string, unknown> = {
  // The declarations `using` and `await using`.
  __using: addResource,
  __callDispose: disposeResources,
  __addDisposableResource: addToScope,
  __disposeResources: disposeScope,
  // The call `import()`, where `require()` takes its place.
  __importStar: toNamespace,
  __toESM: toNamespace,
  // Class fields, object spread and rest, async functions.
  __publicField: (target: object, key: PropertyKey, value: unknown) => {
    const attributes = { configurable: true, enumerable: true, writable: true };
    Object.defineProperty(target, key, { ...attributes, value });
    return value;
  },
  __spreadValues: (target: object, source: object) =>
    Object.assign(target, source),
  __spreadProps: (target: object, source: object) =>
    Object.defineProperties(target, Object.getOwnPropertyDescriptors(source)),
  __objRest: (source: object, exclude: PropertyKey[]) =>
    Object.fromEntries(
      ownKeys(source).filter((key) => !exclude.includes(key))
        .map((key) => [key, Reflect.get(source, key)]),
    ),
  __async: async (self: unknown, args: unknown[], body: Callable) => {
    const steps = body.apply(self, args) as Generator<unknown>;
    let step = steps.next();
    while (!step.done) {
      let resume: () => IteratorResult<unknown>;
      try {
        const value = await step.value;
        resume = () => steps.next(value);
      } catch (reason) {
        resume = () => steps.throw(reason);
      }
      step = resume();
    }
    return step.value;
  },
};

/** Istanbul's name for the counters of a file. */
const COUNTERS = /\bcov_\w+(?=\(\))/g;

/**
 * Takes the place of Istanbul's counters: what is counted in a worker cannot
 * reach them. Values that its code keeps there for a moment are kept.
 */
function createCounters(): () => unknown {
  const counter: object = new Proxy({}, {
    get: (_target, key) => key === Symbol.toPrimitive ? () => 0 : counter,
    set: () => true,
  });
  const counters = new Proxy(Object.create(null), {
    get: (target, key) => key in target ? target[key] : counter,
  });
  return () => counters;
}

/**
 * Helpers that may have a number in their names. Where they are modules of
 * their own, the function is a property of what the name stands for.
 */
const numbered: [names: RegExp, helper: Callable][] = [
  [/\b_using_?ctx\d*\b/gi, createBlock],
  // Vite names them for the module and not for what is in it.
  [/(?<=\b_usingCtx\d* = \(0, ?)\w+(?=\.default\)\(\))/g, createBlock],
  [/\b_ts_add_disposable_resource\d*\b/g, addToScope],
  [/\b_ts_dispose_resources\d*\b/g, disposeScope],
  [/\b_interop_?require_?wildcard\d*\b/gi, toNamespace],
];

/** The variables among these that the text refers to. */
export function loweredSyntax(text: string): Record<string, unknown> {
  const variables: Record<string, unknown> = {};
  for (const [name, helper] of Object.entries(helpers)) {
    if (text.includes(`${name}(`)) variables[name] = helper;
  }
  // What TypeScript calls its helpers where a package has them.
  const fromPackage = [...text.matchAll(/\btslib_1\.(\w+)/g)];
  if (
    fromPackage.length > 0 &&
    fromPackage.every(([, name]) => Object.hasOwn(helpers, name!))
  ) variables["tslib_1"] = helpers;
  for (const [names, helper] of numbered) {
    for (const [name] of text.matchAll(names)) {
      const own = (...args: unknown[]) => helper(...args);
      variables[name] ??= Object.assign(own, { _: own, default: own });
    }
  }
  for (const [name] of text.matchAll(COUNTERS)) {
    variables[name] ??= createCounters();
  }
  return variables;
}
