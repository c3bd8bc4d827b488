import {
  assert,
  assertEquals,
  assertMatch,
  assertNotMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import {
  type ImportFrom,
  rewriteImports,
  usesImports,
} from "../src/functions/imports.ts";
import { helpfulReferenceError } from "../src/functions/missing_variable.ts";
import { moduleVariables } from "../src/functions/module_variables.ts";
import { checkClosure, reviveFunction } from "../src/functions/revive.ts";
import { functionText } from "../src/functions/source_text.ts";

// deno-lint-ignore no-explicit-any
type AnyFunction = (...args: any[]) => any;

interface Surroundings {
  name?: string;
  scope?: Record<string, unknown>;
  importFrom?: ImportFrom;
  base?: string;
}

const importNothing: ImportFrom = (specifier) =>
  Promise.reject(new Error(`Unexpected import of ${specifier}`));

/** A function made anew from text, as a worker does. */
function revive(text: string, options: Surroundings = {}): AnyFunction {
  const { name = "", scope = {}, importFrom = importNothing, base } = options;
  return reviveFunction(rewriteImports(text), {
    name,
    scope,
    importFrom,
    base,
  }) as AnyFunction;
}

/** A function that has been sent by value. */
function send<F extends AnyFunction>(fn: F, options: Surroundings = {}): F {
  const text = functionText(fn, "task");
  return revive(text, { name: fn.name, ...options }) as F;
}

/** Code as a JavaScript module has it, past what transpilers do to this one. */
function untranspiled<T>(expression: string): T {
  return new Function(`"use strict"; return ${expression}`)();
}

declare const missing: (value: number) => number;

// --- kinds of functions ---

test("functionText() tells arrow functions", () => {
  assertEquals(send((x: number) => x + 1)(2), 3);
  assertEquals(
    send(({ a, b = 2 }: { a: number; b?: number }) => a + b)({
      a: 1,
    }),
    3,
  );
  assertEquals(send((...values: number[]) => ({ values }))(1, 2), {
    values: [1, 2],
  });
});

test("functionText() tells functions", () => {
  function factorial(n: number): number {
    return n < 2 ? 1 : n * factorial(n - 1);
  }
  assertEquals(send(factorial)(5), 120);
  assertEquals(send(factorial).name, "factorial");
  assertEquals(
    send(function (this: unknown) {
      return this;
    }).call(1),
    1,
  );
});

test("functionText() tells asynchronous functions", async () => {
  assertEquals(await send(async (x: number) => await x + 1)(2), 3);
  assertEquals(
    await send(async function named(x: number) {
      return await x;
    })(2),
    2,
  );
});

test("functionText() tells generators", async () => {
  const numbers = send(function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
  });
  assertEquals([...numbers(3)], [0, 1, 2]);
  const later = send(async function* (n: number) {
    yield await n;
  });
  assertEquals((await later(1).next()).value, 1);
});

test("functionText() tells methods of all names", async () => {
  const key = `computed ${1 + 1}`;
  const symbol = Symbol("symbol");
  const methods = {
    plain: (x: number) => x,
    method(x: number) {
      return x;
    },
    async later(x: number) {
      return await x;
    },
    *numbers(x: number) {
      yield x;
    },
    async *laterNumbers(x: number) {
      yield await x;
    },
    "two words"(x: number) {
      return x;
    },
    2(x: number) {
      return x;
    },
    [key](x: number) {
      return x;
    },
    [symbol](x: number) {
      return x;
    },
    async [`${key}]`](x: number) {
      return await x;
    },
    get(x: number) {
      return x;
    },
    set(x: number) {
      return x;
    },
    async(x: number) {
      return x;
    },
    async await(x: number) {
      return await x;
    },
    static(x: number) {
      return x;
    },
    function(x: number) {
      return x;
    },
    class(x: number) {
      return x;
    },
    import(x: number) {
      return x;
    },
    __proto__(x: number) {
      return x;
    },
  };
  for (const name of Reflect.ownKeys(methods)) {
    const method = Reflect.get(methods, name) as AnyFunction;
    const result = await send(method)(7);
    const value = typeof result === "object" ? await result.next() : result;
    assertEquals(value?.value ?? value, 7, String(name));
  }
});

test("functionText() tells methods of classes", async () => {
  class Methods {
    static twice(x: number): number {
      return x * 2;
    }
    static async later(x: number): Promise<number> {
      return await x;
    }
    method(x: number): number {
      return x;
    }
  }
  assertEquals(send(Methods.twice)(2), 4);
  assertEquals(await send(Methods.later)(2), 2);
  assertEquals(send(Methods.prototype.method)(2), 2);
});

test("functionText() tells methods as written, before transpilers", () => {
  const key = "k";
  const methods = new Function(
    "key",
    `return {
      async  *  /* a ] */ [key /* b */](x) { yield x },
      get /* not a getter */ (x) { return x },
      ["a" + "]" + [1][0]](x) { return x },
      'quo"ted'(x) { return x },
      set: x => x, // a comment
    }`,
  )(key) as Record<string, AnyFunction>;
  for (const method of Object.values(methods)) {
    const result = send(method)(7);
    assert(result === 7 || typeof result.next === "function");
  }
});

test("functionText() gives the text past an own toString()", () => {
  const fn = Object.assign((x: number) => x + 1, { toString: () => "lies" });
  assertEquals(send(fn)(1), 2);
});

test("reviveFunction() keeps names", () => {
  const named = (x: number) => x;
  for (
    const name of ["named", "a-b", "class", "toString", "fetch", "__proto__"]
  ) {
    assertEquals(send(named, { name }).name, name);
  }
});

test("reviveFunction() lets a function in a variable call itself", () => {
  const factorial = (n: number): number => n < 2 ? 1 : n * factorial(n - 1);
  assertEquals(send(factorial)(5), 120);
});

test("reviveFunction() does not hide a global behind the function's name", () => {
  const text = "(text) => structuredClone(text)";
  assertEquals(revive(text, { name: "structuredClone" })("a"), "a");
});

test("reviveFunction() makes strict code outside this module", () => {
  assertEquals(
    send(function (this: unknown) {
      return this;
    })(),
    undefined,
  );
  assertEquals(revive("() => typeof revive")(), "undefined");
  assertThrows(() => revive("() => { undeclared = 1 }")(), ReferenceError);
});

test("reviveFunction() makes new functions of the same text", () => {
  const text = "() => { count.n++; return count.n }";
  const first = revive(text, { scope: { count: { n: 0 } } });
  const second = revive(text, { scope: { count: { n: 10 } } });
  assertEquals([first(), first(), second()], [1, 2, 11]);
});

test("reviveFunction() takes a line comment at the end of the text", () => {
  assertEquals(revive("x => x // comment")(1), 1);
  assertEquals(revive("m(x) { return x } // comment")(1), 1);
});

test("Stacks show a short name and the function's own lines", () => {
  const text = "(x) => {\n\n  throw new Error(x);\n}";
  for (
    const [name, file] of [
      ["square", "polypool-task-square.js"],
      ["", "polypool-task-anonymous.js"],
      ["größe ].js\n//", "polypool-task-gr_e_.js_.js"],
      ["x".repeat(200), `polypool-task-${"x".repeat(60)}.js`],
    ] as const
  ) {
    const error = assertThrows(() => revive(text, { name })("x"), Error);
    assertMatch(error.stack!, new RegExp(`${file}[^\n]*:3:\\d+`));
  }
});

test("Functions of one name from two modules have two names in stacks", () => {
  const text = "() => new Error().stack";
  const first = revive(text, { name: "pair", base: "file:///a.ts" });
  const second = revive(text, { name: "pair", base: "file:///b.ts" });
  const third = revive(text, { name: "pair", base: "file:///a.ts" });
  assertStringIncludes(first(), "polypool-task-pair.js");
  assertStringIncludes(second(), "polypool-task-pair-2.js");
  assertStringIncludes(third(), "polypool-task-pair.js");
});

// --- what cannot be sent ---

function assertRefused(fn: unknown, message: string, label = "task"): void {
  // Twice, as what is known of a text is remembered.
  for (let i = 0; i < 2; i++) {
    const error = assertThrows(() => functionText(fn, label), TypeError);
    assertStringIncludes(error.message, message);
  }
}

test("functionText() refuses what is no function", () => {
  for (
    const [value, shown] of [
      [undefined, "undefined"],
      [null, "null"],
      [5, "5"],
      ["x => x", '"x => x"'],
      [{}, "[object Object]"],
    ] as const
  ) {
    assertRefused(
      value,
      `Cannot send 'workerInit' to a worker as it must be a function: ` +
        `current value is ${shown}`,
      "workerInit",
    );
  }
});

test("functionText() refuses native and bound functions", () => {
  const message = "Cannot send 'task' to a worker as it is a native or bound " +
    "function: wrap it in an arrow function";
  const fn = () => {};
  for (const native of [Math.max, Map, fn.bind(null), new Proxy(fn, {})]) {
    assertRefused(native, message);
  }
});

test("functionText() sends functions that speak of native code", () => {
  assertEquals(send(() => "{ [native code] }")(), "{ [native code] }");
});

test("functionText() refuses classes", () => {
  assertRefused(class {}, "it is a class");
  assertRefused(
    class A extends Map {},
    "it is a class, and only functions can be sent: use it in a function " +
      "that defines or imports it, or in one sent by reference with task() " +
      "or importTasks()",
  );
});

test("functionText() refuses getters and setters", () => {
  const object = {
    get value() {
      return 1;
    },
    set value(value) {
      this.value = value;
    },
  };
  const { get, set } = Object.getOwnPropertyDescriptor(object, "value")!;
  assertRefused(get, "it is a getter or setter: wrap it in an arrow function");
  assertRefused(set, "it is a getter or setter: wrap it in an arrow function");
});

test("functionText() refuses private names of a class around the function", () => {
  const [method, reader, tester] = untranspiled<AnyFunction[]>(`(() => {
    class A {
      #field = 1;
      #method() {}
      static functions = [
        A.prototype.read,
        (a) => a.#field,
        (a) => #field in a,
      ];
      read() { return this.#field }
    }
    return A.functions;
  })()`);
  for (const fn of [method, reader, tester]) {
    assertRefused(fn, "it uses private names of the class around it");
  }
  // A class of its own is no hindrance.
  assertEquals(
    send(() => {
      class A {
        #field = 1;
        read() {
          return this.#field;
        }
      }
      return new A().read();
    })(),
    1,
  );
});

test("functionText() refuses methods that use super, as the class stays behind", () => {
  class Base {
    static greet() {
      return "base";
    }
  }
  class Derived extends Base {
    static override greet() {
      return super.greet();
    }
    static quote() {
      return "super.greet";
    }
    static nested() {
      class Inner extends Base {
        static override greet() {
          return super.greet();
        }
      }
      return typeof Inner;
    }
  }
  assertRefused(
    Derived.greet,
    "Cannot send 'task' to a worker as it uses 'super', which only a method " +
      "has",
  );
  assertEquals(send(Derived.quote)(), "super.greet");
  assert(functionText(Derived.nested, "task"));
});

test("functionText() refuses import.meta", () => {
  assertRefused(
    () => import.meta.url,
    "Cannot send 'task' to a worker as it uses 'import.meta', which only a " +
      "module has: mark it with task() or import it with importTasks()",
  );
  assertEquals(send(() => "import.meta")(), "import.meta");
});

test("functionText() refuses super of a class around an arrow function", () => {
  const arrow = untranspiled<AnyFunction>(
    "new class extends Map { arrow = () => super.size }().arrow",
  );
  assertRefused(arrow, "its source text does not compile by itself (");
});

// --- closure ---

test("reviveFunction() gives the scope as free variables", () => {
  const scope = { factor: 3, $offset: 1, größe: { n: 2 }, __proto__: null };
  const text = "(x) => x * factor + $offset + größe.n";
  assertEquals(revive(text, { scope })(2), 9);
});

test("reviveFunction() puts the scope before globals and helpers", () => {
  const scope = { Math: "mine", __name: 5, ["__proto__"]: 1 };
  const text = "() => { const f = [Math, typeof __name]; return f }";
  assertEquals(revive(text, { scope, name: "f" })(), ["mine", "number"]);
  assertEquals(revive("() => same", { scope: { same: 1 }, name: "same" })(), 1);
});

test("checkClosure() takes plain objects", () => {
  checkClosure({});
  checkClosure({ a: 1, $b: 2, _c: 3, größe: 4, async: 5, [Symbol()]: 6 });
  checkClosure(Object.assign(Object.create(null), { a: 1 }));
});

test("checkClosure() throws for what is no plain object", () => {
  class Closure {}
  for (const value of [null, 5, "a", [1], new Map(), () => {}, new Closure()]) {
    const error = assertThrows(() => checkClosure(value), TypeError);
    assertStringIncludes(
      error.message,
      "Cannot use 'closure' as it must be a plain object: current value is ",
    );
  }
});

test("checkClosure() throws for keys that cannot name variables", () => {
  const keys = ["a-b", "1", "", "class", "let", "eval", "a,b", "a=1", "a\n"];
  for (const key of keys) {
    const error = assertThrows(() => checkClosure({ [key]: 1 }), TypeError);
    assertStringIncludes(error.message, JSON.stringify(key));
    assertThrows(() => revive("() => 1", { scope: { [key]: 1 } }), TypeError);
  }
});

// --- import() ---

/** An `importFrom` that gives its arguments. */
const echo: ImportFrom = (...args) => Promise.resolve(args);

test("rewriteImports() lets import() resolve elsewhere", async () => {
  const load = send(async (name: string) => [
    await import("./support/skip.ts"),
    await import(`./${name}.ts`),
  ], { importFrom: echo });
  assertEquals<unknown>(
    (await load("x")).map(([specifier]: unknown[]) => specifier),
    ["./support/skip.ts", "./x.ts"],
  );
});

test("rewriteImports() passes import attributes", async () => {
  const text =
    'async () => await import("./a.json", { with: { type: "json" } })';
  const load = revive(text, { importFrom: echo });
  assertEquals(await load(), ["./a.json", { with: { type: "json" } }]);
});

test("rewriteImports() makes specifiers strings, and errors rejections", async () => {
  const load = revive("(specifier) => import(specifier)", {
    importFrom: (specifier) => {
      if (specifier === "bad") throw new RangeError("Bad");
      return echo(specifier);
    },
  });
  const url = new URL("file:///a.ts");
  assertEquals((await load(url))[0], "file:///a.ts");
  await assertRejects(() => load("bad"), RangeError, "Bad");
  await assertRejects(() => load(Symbol()), TypeError);
});

test("rewriteImports() reaches functions inside the function", async () => {
  const load = revive(
    "async () => { const inner = async () => import('a'); return inner }",
    { importFrom: echo },
  );
  const inner: AnyFunction = await load();
  assertEquals((await inner())[0], "a");
  // Sent on, as by a pool inside the worker, it imports from there.
  const text = functionText(inner, "task");
  assertEquals(rewriteImports(text), text);
  assert(usesImports(text));
  const importFrom: ImportFrom = (specifier) => echo(`nested ${specifier}`);
  assertEquals((await revive(text, { importFrom })())[0], "nested a");
});

test("rewriteImports() leaves text without import() as it is", () => {
  for (
    const text of [
      "x => x",
      "x => 'import(1)'",
      "x => x.import(1)",
      "x => importModule(1)",
    ]
  ) {
    assertStrictEquals(rewriteImports(text), text);
    assertEquals(usesImports(text), false);
  }
});

test("rewriteImports() leaves text that does not compile as it is", () => {
  assertStrictEquals(rewriteImports("x => import("), "x => import(");
});

/** Statements with the number of imports that running them makes. */
const statements: [code: string, imports: number][] = [
  ["await import('./x.ts');", 1],
  ["await import /* why */ (\n// here\n'./x.ts');", 1],
  ["import('a').then(() => import('b'));", 1],
  ["await import(`./${(await import('a'), 'b')}`);", 2],
  ["n\nimport('x')", 1],
  ["n ++\nimport('x')", 1],
  ["void import('x'); typeof import('y');", 2],
  ["for (const a of [import('x')]) await a;", 1],
  ["n / (await import('x'), 1) / import('y');", 2],
  ["(n) / await import('x') / n; '/'", 1],
  ["if (!n) /import('x')/.test(''); else import('y');", 1],
  ["if (n) {} /import('x')/g.test('');", 0],
  ["({ a: 1 }) / import('x') / 2;", 1],
  ["/[/]import('x')\\/import('y')/u; import('z');", 1],
  ["'import(1)'; \"import('1')\"; 'it\\'s import(1)';", 0],
  ["'a\\\nimport(1)';", 0],
  ["`import('x') \\${import('y')} \\` ${import('z')} import('q')`;", 1],
  ["`${`import('x') ${{ a: import('y') }.a} }`} import('z')`;", 1],
  ["String.raw`\\import('x')${`}`}`;", 0],
  ["// import('x')\n", 0],
  ["/* import('x') */ /** import('y') **/", 0],
  ["<!-- import('x')\n", 0],
  ["object.import('x'); object?.import('y');", 0],
  ["object\n. /* a */ import // b\n('x');", 0],
  ["object.import(await import('x'));", 1],
  ["object['import'](import('x'));", 1],
  ["({ import(x) { return x }, async import2() {} }).import(1);", 0],
  ["({ get import() { return 1 }, set import(x) {} });", 0],
  ["({ async import(x) {}, 'a': 1 }); ({ *import(x) {} });", 0],
  ["({ import: import('x') });", 1],
  ["new class { import(x) { return import('x') } }().import(1);", 1],
  ["new class { #import(x) {} m() { this.#import(1) } }().m();", 0],
  ["(class { static import(x) {} static { import('x') } }).import(1);", 1],
  ["new class { a = 1\n import(x) {} b\n = import('y') }();", 1],
  ["$import(1); _import(2); éimport(3); importé(4); import$(5);", 0],
  ["\\u{61}import(6);", 0],
  ["n ? import('x') : import('y');", 1],
  ["(async () => import('x'))(); (async x => { import('y') })();", 2],
  ["[...[import('x')]].length; !import('y'); n ?? import('z');", 2],
  ["switch (n) { case import('x'): default: import('y') }", 2],
  ["label: import('x');", 1],
  ["do import('x'); while (n--)\nimport('y')", 3],
  ["const { a = import('x') } = {};", 1],
  ["JSON.stringify({ text: 'import(\"x\")' }); ('import')", 0],
];

/** Runs statements one after the other and counts what they import. */
async function countImports(codes: string[]): Promise<number> {
  let count = 0;
  const text = "async () => {\n" +
    "const object = { import: x => x };\n" +
    "const $import = object.import, _import = $import, éimport = $import," +
    "importé = $import, import$ = $import, aimport = $import;\n" +
    codes.map((code) => `await (async () => {\nlet n = 1;\n${code}\n})();`)
      .join("\n") +
    "\n}";
  const run = revive(text, {
    importFrom: (specifier) => {
      count++;
      return echo(specifier);
    },
  });
  await run();
  // Those that were not awaited.
  await new Promise((resolve) => setTimeout(resolve));
  return count;
}

for (const [code, imports] of statements) {
  test(`rewriteImports() finds ${imports} in ${JSON.stringify(code)}`, async () => {
    const expected = code.includes(".then(") ? imports + 1 : imports;
    assertEquals(await countImports([code]), expected);
  });
}

test("rewriteImports() finds import() in any mixture of code", async () => {
  const known = statements.filter(([code]) => !code.includes(".then("));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...known), { maxLength: 12 }),
      async (mixture) => {
        const expected = mixture.reduce((sum, [, imports]) => sum + imports, 0);
        const codes = mixture.map(([code]) => code);
        assertEquals(await countImports(codes), expected);
      },
    ),
    { numRuns: 50 },
  );
});

// --- transpilers ---

test("Names kept by esbuild and tsx do no harm", () => {
  const text = `() => {
    const inner = __name((x) => x, "outer");
    class A { static { __name(this, "B") } }
    return [inner(1), inner.name, A.name];
  }`;
  assertEquals(revive(text)(), [1, "outer", "B"]);
});

test("Declarations with using work, lowered or not", async () => {
  const log: string[] = [];
  const use = send((log: string[]) => {
    using _a = { [Symbol.dispose]: () => void log.push("a") };
    using _b = { [Symbol.dispose]: () => void log.push("b") };
    log.push("body");
    return "result";
  });
  assertEquals(use(log), "result");
  const useLater = send(async (log: string[]) => {
    const later = (_: unknown) => Promise.resolve();
    await using _a = { [Symbol.asyncDispose]: () => later(log.push("c")) };
    using _b = { [Symbol.dispose]: () => void log.push("d") };
    await using _none = null;
    await null;
    log.push("body");
  });
  await useLater(log);
  assertEquals(log, ["body", "b", "a", "body", "d", "c"]);
});

test("Declarations with using keep all errors, lowered or not", async () => {
  const fail = send((name: string) => {
    using _a = {
      [Symbol.dispose]() {
        throw new Error(`${name} a`);
      },
    };
    using _b = {
      [Symbol.dispose]() {
        throw new Error(`${name} b`);
      },
    };
    throw new Error(`${name} body`);
  });
  const failLater = send(async (name: string) => {
    await using _a = {
      [Symbol.asyncDispose]() {
        return Promise.reject(new Error(`${name} a`));
      },
    };
    await using _b = {
      [Symbol.dispose]() {
        throw new Error(`${name} b`);
      },
    };
    throw await new Error(`${name} body`);
  });
  interface Suppressed extends Error {
    error: Error;
    suppressed: Suppressed;
  }
  for (const failing of [fail, failLater]) {
    const error = await assertRejects(async () => {
      await failing("in");
    }) as Suppressed;
    assertEquals(error.name, "SuppressedError");
    assertEquals(error.error.message, "in a");
    assertEquals(error.suppressed.error.message, "in b");
    assertEquals(error.suppressed.suppressed.message, "in body");
  }
});

test("Declarations with using refuse what cannot be disposed of", () => {
  assertThrows(
    () =>
      send((value: Disposable) => {
        using _a = value;
      })({} as Disposable),
    TypeError,
  );
});

test("Declarations with using work as lowered by TypeScript", async () => {
  const log: string[] = [];
  const sync = revive(`(log) => {
    const env_1 = { stack: [], error: void 0, hasError: false };
    try {
      const a = __addDisposableResource(env_1, { [Symbol.dispose]() { log.push("a") } }, false);
      return "result";
    }
    catch (e_1) { env_1.error = e_1; env_1.hasError = true; }
    finally { __disposeResources(env_1); }
  }`);
  assertEquals(sync(log), "result");
  const later = revive(`async (log) => {
    const env_2 = { stack: [], error: void 0, hasError: false };
    try {
      const a = __addDisposableResource(env_2, { async [Symbol.asyncDispose]() { log.push("b") } }, true);
      throw new Error("body");
    }
    catch (e_2) { env_2.error = e_2; env_2.hasError = true; }
    finally { const result_1 = __disposeResources(env_2); if (result_1) await result_1; }
  }`);
  await assertRejects(() => later(log), Error, "body");
  assertEquals(log, ["a", "b"]);
});

for (
  const create of [
    "_usingCtx()",
    "_usingCtx2()",
    "_using_ctx()",
    // Where the helper is a module: in vitest, of Babel, of swc.
    "(0,__vite_ssr_import_2__.default)()",
    "(0, _usingCtx2.default)()",
    "_using_ctx._()",
  ]
) {
  test(`Declarations with using work as lowered to ${create}`, async () => {
    const textWith = (start: string, method: string, end: string) =>
      `${start}(log, error) => {
        try {
          var _usingCtx3 = ${create};
          const a = _usingCtx3.u({ [Symbol.dispose]() { log.push("a") } });
          const b = _usingCtx3.${method}({ [Symbol.dispose]() { log.push("b") } });
          const none = _usingCtx3.${method}(null);
          if (error) throw error;
          return "result";
        } catch (_) {
          _usingCtx3.e = _;
        } finally {
          ${end}_usingCtx3.d();
        }
      }`;
    const log: string[] = [];
    const error = new RangeError("body");
    const use = revive(textWith("", "u", ""));
    assertEquals(use(log), "result");
    assertThrows(() => use(log, error), RangeError, "body");
    const useLater = revive(textWith("async ", "a", "await "));
    assertEquals(await useLater(log), "result");
    await assertRejects(() => useLater(log, error), RangeError, "body");
    assertEquals(log.join(""), "babababa");
  });
}

test("Declarations with using work as lowered by swc and with tslib", async () => {
  const names = [
    ["_ts_add_disposable_resource", "_ts_dispose_resources"],
    ["_ts_add_disposable_resource._", "_ts_dispose_resources._"],
    ["tslib_1.__addDisposableResource", "tslib_1.__disposeResources"],
  ];
  for (const [add, dispose] of names) {
    const log: string[] = [];
    const use = revive(`async (log) => {
      const env = { stack: [], error: void 0, hasError: false };
      try {
        const a = ${add}(env, { [Symbol.dispose]() { log.push("a") } }, false);
        const b = ${add}(env, { async [Symbol.asyncDispose]() { log.push("b") } }, true);
        throw new RangeError("body");
      } catch (e) {
        env.error = e;
        env.hasError = true;
      } finally {
        const result = ${dispose}(env);
        if (result) await result;
      }
    }`);
    await assertRejects(() => use(log), RangeError, "body");
    assertEquals(log, ["b", "a"]);
  }
});

test("Syntax lowered by esbuild for old targets works", async () => {
  const text = `(source) => __async(void 0, null, function* () {
    class A { constructor() { __publicField(this, "field", 1) } }
    const _a = source, { a } = _a, rest = __objRest(_a, ["a"]);
    const copy = __spreadProps(__spreadValues({}, rest), { get c() { return 3 } });
    try { yield Promise.reject(new Error("caught")) } catch { copy.d = 4 }
    return [new A().field, a, yield copy];
  })`;
  assertEquals(await revive(text)({ a: 1, b: 2 }), [1, 1, {
    b: 2,
    c: 3,
    d: 4,
  }]);
});

test("Counters of Istanbul do no harm", () => {
  const text = `(x, y = (cov_2pzzo0b6xo().b[0][0]++, 2)) => {
    cov_2pzzo0b6xo().f[0]++;
    const kept = (cov_2pzzo0b6xo().cov_2pzzo0b6xo_temp = x, cov_2pzzo0b6xo().cov_2pzzo0b6xo_temp);
    return (cov_2pzzo0b6xo().s[1]++, kept) + y;
  }`;
  assertEquals(revive(text)(1), 3);
});

test("Imports rewritten by vitest resolve where they can", async () => {
  const text =
    "async (specifier) => await __vite_ssr_dynamic_import__(specifier)";
  const tried: string[] = [];
  const importFrom: ImportFrom = (specifier) => {
    tried.push(specifier);
    if (
      specifier.startsWith("file:///app/") || !specifier.startsWith("file:")
    ) {
      return echo(specifier);
    }
    const error = new Error(`Cannot find ${specifier}`);
    const details = { code: "ERR_MODULE_NOT_FOUND", url: specifier };
    return Promise.reject(Object.assign(error, details));
  };
  assert(usesImports(text));
  const inApp = revive(text, { importFrom, base: "file:///x/y/a.test.ts" });
  assertEquals((await inApp("node:os"))[0], "node:os");
  assertEquals((await inApp("pkg"))[0], "pkg");
  assertEquals((await inApp("/@fs/app/lib.js"))[0], "file:///app/lib.js");
  tried.length = 0;
  await assertRejects(() => inApp("/src/a.ts"), Error, "file:///x/y/src/a.ts");
  assertEquals(tried, [
    "file:///x/y/src/a.ts",
    "file:///x/src/a.ts",
    "file:///src/a.ts",
  ]);
  const deep = revive(text, {
    importFrom,
    base: "file:///app/tests/a.test.ts",
  });
  assertEquals((await deep("/src/a.ts"))[0], "file:///app/tests/src/a.ts");
});

test("Modules that have been required look as if imported", async () => {
  const warning = () => {
    throw new Error("A getter was called");
  };
  const plain = Object.defineProperty({ a: 1 }, "old", { get: warning });
  const transpiled = { __esModule: true, default: 2 };
  const modules: Record<string, unknown> = { plain, transpiled, "none": null };
  const require = (name: string) => modules[name];
  for (
    const interop of [
      "__importStar",
      "tslib_1.__importStar",
      "_interop_require_wildcard",
      "_interop_require_wildcard._",
      "_interopRequireWildcard",
      "(0, _interopRequireWildcard2.default)",
      "__toESM",
    ]
  ) {
    const load = revive(
      `(name) => Promise.resolve().then(() => ${interop}(require(name)))`,
      { scope: { require } },
    );
    const namespace = await load("plain");
    assertEquals(namespace.a, 1);
    assertStrictEquals(namespace.default, plain);
    assertStrictEquals(await load("transpiled"), transpiled);
    assertEquals(await load("none"), { default: null });
  }
});

// --- missing variables ---

function hintedError(fn: () => unknown): ReferenceError {
  const error = assertThrows(fn, ReferenceError);
  helpfulReferenceError(error);
  return error;
}

test("helpfulReferenceError() names the variable and the ways out", () => {
  const error = hintedError(send(() => missing(1)));
  assertEquals(
    error.message,
    "missing is not defined: a function sent to a worker by value sees its " +
      "arguments, globals and 'closure', but neither variables nor imports " +
      "of the module around it. Pass it as closure: { missing }, use await " +
      "import() inside the function, or send the function by reference with " +
      "task() or importTasks()",
  );
  assertStringIncludes(error.stack!, `ReferenceError: ${error.message}\n`);
  assertMatch(error.stack!, /\n +at .*polypool-task-/);
});

test("helpfulReferenceError() changes an error once", () => {
  const error = hintedError(send(() => missing(1)));
  const { message, stack } = error;
  helpfulReferenceError(error);
  assertEquals(error.message, message);
  assertEquals(error.stack, stack);
});

test("helpfulReferenceError() helps with assignments and names of all kinds", () => {
  const set = hintedError(revive("() => { $count += 1 }"));
  assertMatch(set.message, /^\$count is not defined: .*closure: \{ \$count \}/);
  const put = hintedError(revive("() => { größe = 1 }"));
  assertMatch(put.message, /^größe is not defined: /);
  const generated = hintedError(revive("() => (0, import_lodash.map)()"));
  assertMatch(generated.message, /^import_lodash is .*Pass what it needs as /);
  const common = hintedError(revive("() => require('node:fs')"));
  assertMatch(
    common.message,
    /\. Use await import\(\) or process\.getBuiltinModule\(\) inside the function, or send /,
  );
});

test("helpfulReferenceError() names the function in the closure that lacks a variable", () => {
  const closureTexts = { first: "(x) => x", $name: "(x) => check$(x)" };
  const hint = (text: string) => {
    const error = assertThrows(revive(closureTexts.$name), ReferenceError);
    helpfulReferenceError(error, text, closureTexts);
    return error.message;
  };
  assertEquals(
    hint("(x) => first($name(x))"),
    "check$ is not defined in 'closure.$name': a function sent to a worker " +
      "by value sees its arguments, globals and 'closure', but neither " +
      "variables nor imports of the module around it. Pass it as closure: " +
      "{ check$ }, use await import() inside the task in place of $name, or " +
      "send the task by reference with task() or importTasks()",
  );
  // The other one may be meant.
  assertMatch(hint("(x) => check$($name(x))"), /^check\$ is not defined: /);
  assertMatch(hint("(x) => check($name(x))"), / in 'closure\.\$name': /);
});

test("helpfulReferenceError() says what a minifier may have done", () => {
  const part = /\. If a minifier has renamed variables, .*task\(\)$/;
  const hint = (text: string) => {
    const error = assertThrows(revive(text), ReferenceError);
    helpfulReferenceError(error, text);
    return error.message;
  };
  assertMatch(hint("x=>x*m"), part);
  assertMatch(hint('()=>i(()=>0,"inner")'), part);
  assertNotMatch(hint("(x) => x * m"), part);
  // As tsx writes it, which renames nothing.
  assertNotMatch(hint("x=>x>limit"), part);
  const swc = hint("() => (0, _lib.map)()");
  assertMatch(swc, /^_lib is .*Pass what it needs as 'closure', use/);
  assertNotMatch(swc, part);
  for (const name of ["_cache", "value_1", "init_model"]) {
    assertStringIncludes(
      hint(`() => ${name}.get(1)`),
      `Pass it as closure: { ${name} }`,
    );
  }
});

test("helpfulReferenceError() says what a bundler has done with import()", () => {
  for (
    const text of [
      "() => __webpack_require__.e(1)",
      "() => (init_lib(), lib_exports)",
      "() => (init_lib(), exports_lib)",
      "() => lib_exports",
      "() => exports_lib",
      "() => require_lib()",
    ]
  ) {
    const error = assertThrows(revive(text), ReferenceError);
    helpfulReferenceError(error, `() => Promise.resolve().then(${text})`);
    assertMatch(
      error.message,
      /^\w+ is not defined: a bundler has rewritten an import\(\)/,
    );
    for (
      const part of ["task()", "importTasks()", "splitting", "webpackIgnore"]
    ) {
      assertStringIncludes(error.message, part);
    }
  }
});

test("moduleVariables() finds what tools make of imports, and nothing else", () => {
  const found = (text: string) => moduleVariables([text], ["helper", "csv"]);
  assertEquals(found("() => (0, lib_1.helper)(1) + lib_1.csv"), ["lib_1"]);
  assertEquals(found("()=>(0,_lib.helper)(1)"), ["_lib"]);
  assertEquals(found("() => __vite_ssr_import_2__.helper(1)"), [
    "__vite_ssr_import_2__",
  ]);
  for (
    const text of [
      "() => user_1.helper",
      "() => _stats.helper + 1",
      '() => helper("2024_01.csv")',
      "() => (0, lib_1.helper)(lib_1.other)",
    ]
  ) assertEquals(found(text), [], text);
});

test("helpfulReferenceError() leaves other errors alone", () => {
  const errors = [
    assertThrows(revive("() => { a; let a }"), ReferenceError),
    assertThrows(revive("() => null.x"), TypeError),
    // Of this module and not of a function sent by value.
    assertThrows(() => missing(1), ReferenceError),
    Object.freeze(assertThrows(revive("() => missing"), ReferenceError)),
  ];
  for (const error of errors) {
    const { message } = error;
    helpfulReferenceError(error);
    assertEquals(error.message, message);
  }
  for (const value of [undefined, null, "x is not defined", {}]) {
    helpfulReferenceError(value);
  }
});
