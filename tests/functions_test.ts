import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { importTasks, isMainThread, sharedArray, task } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { matchTask } from "../src/worker/match_task.ts";
import { runProgram } from "./support/program.ts";

type Tasks = typeof import("./fixtures/functions/tasks.ts");
const tasksUrl = new URL("./fixtures/functions/tasks.ts", import.meta.url);

/** A variable that a function sent by value cannot see. */
const outside = 5;

/** A function with the text that a transpiler has made. */
function transpiled(text: string): (x: number) => unknown {
  return new Function(`return ${text}`)();
}

// --- by value ---

test("WorkerPool runs every form of function by value", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const key = "computed";
  class Holder {
    static twice(x: number) {
      return x * 2;
    }
    method(x: number) {
      return x * 2;
    }
  }
  const holder = {
    short(x: number) {
      return x * 2;
    },
    async later(x: number) {
      await Promise.resolve();
      return x * 2;
    },
    [key](x: number) {
      return x * 2;
    },
    "with space"(x: number) {
      return x * 2;
    },
    get(x: number) {
      return x * 2;
    },
    async(x: number) {
      return x * 2;
    },
    property: (x: number) => x * 2,
  };
  function declared(x: number) {
    return x * 2;
  }
  const forms: ((x: number) => number | Promise<number>)[] = [
    (x) => x * 2,
    (x) => {
      return x * 2;
    },
    async (x) => await x * 2,
    function (x) {
      return x * 2;
    },
    async function (x) {
      return await x * 2;
    },
    function recursive(x): number {
      return x === 0 ? 0 : 2 + recursive(x - 1);
    },
    declared,
    (x, factor = 2) => x * factor,
    (...[x]) => x! * 2,
    Holder.twice,
    new Holder().method,
    holder.short,
    holder.later,
    holder[key],
    holder["with space"],
    holder.get,
    holder.async,
    holder.property,
    (x) => {
      // A comment with ) and } and `.
      const inner = (y: number) => y + x;
      class Local {
        value = inner(x);
      }
      return new Local().value;
    },
  ];
  for (const form of forms) {
    assertEquals([`${form}`, await pool.apply(form, [3])], [`${form}`, 6]);
    assertEquals(await pool.map(form, [1, 2]), [2, 4]);
  }
});

test("WorkerPool gives a function the variables of 'closure', helper functions too", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const factor = 3;
  const table = new Map([["a", 1]]);
  const memory = sharedArray(Int32Array, 1);
  const increment = (x: number) => x + 1;
  function scale(x: number) {
    return increment(x) * factor;
  }
  const results = await pool.map(
    (x: number) => {
      Atomics.add(memory, 0, 1);
      return scale(x) + table.get("a")!;
    },
    [1, 2, 3],
    { closure: { factor, table, memory, increment, scale } },
  );
  assertEquals(results, [7, 10, 13]);
  assertEquals(memory[0], 3);
});

test("WorkerPool finds an import in 'closure' whatever transpilers make of its name", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const triple = (x: number) => x * 3;
  const add = transpiled("(x) => (0, lib_1.triple)(x) + lib_1.one");
  const closure = { triple, one: 1, add };
  for (
    const text of [
      "x => (0,__vite_ssr_import_1__.triple)(x)",
      "x => __vi_import_0__.triple(x)",
      "x => (0, lib_js_1.triple)(x) * lib_js_1.one",
      "x => (0, _lib.triple)(x)",
      "x => (0, import_lib.triple)(x)",
      "x => (0,_lib_js__WEBPACK_IMPORTED_MODULE_0__.triple)(x)",
      "x => (0, lib_2.add)(x) - 1",
      "x => { const _local = { one: 2 }; return triple(x) * _local.one / 2 }",
    ]
  ) {
    const fn = transpiled(text);
    assertEquals([text, await pool.map(fn, [1, 2], { closure })], [
      text,
      [3, 6],
    ]);
    assertEquals(await pool.apply(fn, [3], { closure }), 9);
  }
  const lacking = transpiled("x => (0, lib_1.triple)(lib_1.other, x)");
  await assertRejects(
    () => pool.map(lacking, [1], { closure }),
    ReferenceError,
    "lib_1 is not defined",
  );
});

test("WorkerPool.apply() gives each task the variables of 'closure' as they were", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  let n = 0;
  const next = () => ++n;
  const closure = { n, next };
  const results = await Promise.all(
    Array.from(
      { length: 50 },
      () => pool.apply(() => [++n, next(), next()], [], { closure }),
    ),
  );
  assertEquals(results, Array(50).fill([1, 1, 2]));
  const list: number[] = [];
  for (let i = 0; i < 5; i++) {
    list.push(i);
    const task = () => list.splice(0).length;
    assertEquals(await pool.apply(task, [], { closure: { list } }), i + 1);
  }
});

test("WorkerPool.apply() tells closures apart that are nearly alike", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const values = [
    ...[0, -0, 1, NaN, 1n, "1", "", true, false, null, undefined],
    ...["true", "null", "undefined", "0", "x".repeat(3000), [1], { a: 1 }],
  ];
  let value: unknown;
  const task = () => value;
  const results = await Promise.all(
    values.map((value) => pool.apply(task, [], { closure: { value } })),
  );
  values.forEach((value, i) => {
    if (typeof value === "object" && value !== null) {
      assertEquals(results[i], value);
    } else assert(Object.is(results[i], value), `${i}`);
  });
  const first = () => "first", second = () => "second";
  let name = first;
  const run = () => name();
  assertEquals(
    await Promise.all([first, second, first].map((helper) => {
      name = helper;
      return pool.apply(run, [], { closure: { name } });
    })),
    ["first", "second", "first"],
  );
});

test("WorkerPool.apply() takes more closures than it remembers", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  let i = 0;
  const plain = (x: number) => x + 1;
  const enclosed = (x: number) => x * i;
  const results: Promise<number>[] = [];
  for (i = 0; i < 1500; i++) {
    results.push(pool.apply(enclosed, [2], { closure: { i } }));
    results.push(pool.apply(plain, [i]));
  }
  (await Promise.all(results)).forEach((result, k) =>
    assertEquals(result, k % 2 ? (k + 1) / 2 : k)
  );
  i = 7;
  assertEquals(await pool.apply(enclosed, [3], { closure: { i } }), 21);
  assertEquals(await pool.apply(plain, [3]), 4);
});

test("WorkerPool gives each call its own 'closure'", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const calls = [1, 2, 3].map((factor) =>
    pool.map((x: number) => x * factor, [1, 10], { closure: { factor } })
  );
  assertEquals(await Promise.all(calls), [[1, 10], [2, 20], [3, 30]]);
  const applied = [1, 2, 3].map((factor) =>
    pool.apply((x: number) => x * factor, [5], { closure: { factor } })
  );
  assertEquals(await Promise.all(applied), [5, 10, 15]);
});

test("WorkerPool names the variable and the ways out when a function sent by value misses one", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const calls = [
    () => pool.map((x: number) => x + outside, [1]),
    () => pool.apply(async () => await Promise.resolve(outside)),
    () =>
      new WorkerPool({ nJobs: 1, workerInit: () => outside }).apply(() => 1),
  ];
  for (const call of calls) {
    const { message } = await assertRejects(call, ReferenceError);
    for (
      const part of ["outside", "closure", "import()", "task", "importTasks"]
    ) {
      assertStringIncludes(message, part);
    }
  }
  const helper = (x: number) => x + outside;
  const { message } = await assertRejects(
    () => pool.map((x: number) => helper(x), [1], { closure: { helper } }),
    ReferenceError,
  );
  assertStringIncludes(message, "outside is not defined in 'closure.helper'");
});

test("WorkerPool gives functions sent by value no 'this', and says so", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  class Scale {
    factor = 3;
    last = 0;
    read() {
      return pool.map((x: number) => x * this.factor, [1, 2]);
    }
    write() {
      return pool.apply(async () => {
        await Promise.resolve();
        this.last = 1;
      });
    }
    enclosed() {
      const multiply = (x: number) => x * this.factor;
      return pool.map((x: number) => multiply(x), [1], {
        closure: { multiply },
      });
    }
    itself() {
      return pool.apply(() => this);
    }
  }
  const scale = new Scale();
  for (const call of [() => scale.read(), () => scale.write()]) {
    await assertRejects(
      call,
      TypeError,
      "this is undefined: a function sent to a worker by value has no 'this' " +
        "of the code around it. Pass what it needs as 'closure' or as " +
        "arguments, or send the function by reference with task() or " +
        "importTasks()",
    );
  }
  await assertRejects(() => scale.enclosed(), TypeError);
  assertEquals(await scale.itself(), undefined);
});

test("WorkerPool refuses arrow functions that use 'arguments' of a function around them", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  function around(..._args: number[]) {
    return (x: number) => x + arguments[0];
  }
  await assertRejects(
    () => pool.map(around(1), [1]),
    TypeError,
    "Cannot send 'task' to a worker as it uses 'arguments' of the function " +
      "around it: give it parameters of its own (...args), or pass an array " +
      "of them as 'closure'",
  );
  const own = (x: number) =>
    (function (_x: number) {
      return arguments[0];
    })(x);
  assertEquals(await pool.map(own, [1, 2]), [1, 2]);
});

test("WorkerPool refuses references in 'closure', and keys that name no variable", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const referenced = task((x: number) => x + outside);
  const { double } = importTasks<{ double(x: number): number }>(tasksUrl);
  const run = (x: number) => f(x);
  for (const f of [referenced, double]) {
    const error = "Cannot send 'closure.f' to a worker as it was made by " +
      "task() or importTasks(): import it inside the function";
    const closure = { f };
    await assertRejects(
      () => pool.map(run, [1], { closure }),
      TypeError,
      error,
    );
    await assertRejects(
      () => pool.apply(run, [1], { closure }),
      TypeError,
      error,
    );
  }
  function f(x: number) {
    return x;
  }
  for (const name of ["__proto__", "a-b"]) {
    await assertRejects(
      () => pool.map(run, [1], { closure: { f, [name]: 5 } }),
      TypeError,
      `current value has "${name}"`,
    );
  }
});

test("WorkerPool gives helper functions in 'closure' their names and lengths", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const helper = (a: number, b: number) => a + b;
  const look = () => [helper.name, helper.length, helper(1, 2)];
  const closure = { helper };
  assertEquals(await pool.apply(look, [], { closure }), ["helper", 2, 3]);
});

test("WorkerPool runs functions that are frozen or have no text for a name", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const frozen = Object.freeze(function (x: number) {
    return x * 2;
  });
  assertEquals(await pool.map(frozen, [1]), [2]);
  const frozenClass = Object.freeze(class Frozen {});
  await assertRejects(
    () => pool.apply(frozenClass as unknown as () => void),
    TypeError,
    "it is a class",
  );
  for (const value of [42, Symbol("name"), {}]) {
    const fn = (x: number) => x * 2;
    Object.defineProperty(fn, "name", { value });
    assertEquals(await pool.map(fn, [1]), [2]);
    assertEquals(await pool.apply(fn, [1], { closure: { a: 1 } }), 2);
    assert(task(fn) === fn);
  }
});

test("WorkerPool refuses native and bound functions and classes at the call", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const refused: unknown[] = [
    Math.max,
    ((x: number) => x).bind(null),
    class Shape {},
    Map,
    "x => x",
    undefined,
  ];
  for (const fn of refused) {
    const wrong = fn as (x: number) => number;
    await assertRejects(() => pool.map(wrong, [1]), TypeError);
    await assertRejects(() => pool.apply(wrong, [1]), TypeError);
    assertThrows(() => pool.imap(wrong, [1]), TypeError);
    assertThrows(() => pool.applyAsync(wrong, [1]), TypeError);
    if (fn === undefined) continue;
    assertThrows(
      () => new WorkerPool({ workerInit: fn as () => void }),
      TypeError,
    );
  }
});

test("WorkerPool resolves a relative import() in a function as the calling module would", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const results = await pool.map(async (x: number) => {
    const { double } = await import("./fixtures/functions/double.ts");
    return double(x);
  }, [1, 2, 3]);
  assertEquals(results, [2, 4, 6]);
  const { url } = await import("./fixtures/functions/double.ts");
  assertEquals(
    await pool.apply(async () => {
      const name = "double";
      return (await import(`./fixtures/functions/${name}.ts`)).url;
    }),
    url,
  );
});

test("WorkerPool resolves a bare import() in a function as the calling module would", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const result = await pool.apply(async () => {
    const { kindOfSample } = await import("./fixtures/functions/bare.ts");
    return kindOfSample();
  });
  assertEquals(result, "function");
  assertEquals(
    await pool.apply(async () => {
      const { sample } = await import("fast-check");
      return typeof sample;
    }),
    "function",
  );
});

test("WorkerPool resolves an import() that transpilers have made require() of as the calling module would", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const path = "./fixtures/functions/required.cjs";
  for (
    const text of [
      `x => Promise.resolve().then(() => __importStar(require("${path}")))`,
      `x => Promise.resolve().then(() => require("${path}"))`,
      `x => Promise.resolve("${path}").then((p) => /*#__PURE__*/ ` +
      "_interop_require_wildcard(require(p)))",
      "x => (specifier => new Promise(r => r(`${specifier}`)).then(s => " +
      `_interopRequireWildcard(require(s))))("${path}")`,
    ]
  ) {
    const load = `(${text})().then(({ triple }) => triple(x + outside))`;
    const fn = transpiled(`x => ${load}`);
    const closure = { outside };
    assertEquals(await pool.map(fn, [1, 2], { closure }), [18, 21]);
    assertEquals(await pool.apply(fn, [3], { closure }), 24);
    const plain = transpiled(`x => ${load.replace(" + outside", "")}`);
    assertEquals(await pool.map(plain, [1, 2]), [3, 6]);
  }
  const own = transpiled("x => require(x)");
  const closure = { require: (x: number) => x + 1 };
  assertEquals(await pool.apply(own, [1], { closure }), 2);
});

test("WorkerPool rejects when an import() in a function finds nothing", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (const name of ["./fixtures/functions/nothing.ts", "no-such-package"]) {
    const { message } = await assertRejects(
      () => pool.apply(async (name: string) => await import(name), [name]),
      Error,
    );
    assertStringIncludes(message, name.replace(/^.*\//, ""));
  }
});

test("WorkerPool runs functions with the same text and name but another meaning", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const made = [1, 2].map((n) => (x: number) => x + n);
  // Both miss `n`: their text is the same and nothing else travels.
  for (const fn of made) {
    await assertRejects(() => pool.map(fn, [1]), ReferenceError, "n is not");
  }
  const results = [];
  for (const n of [1, 2]) {
    results.push(await pool.map(made[0]!, [1], { closure: { n } }));
  }
  assertEquals(results, [[2], [3]]);
});

test("WorkerPool runs more functions than it remembers", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const functions = Array.from(
    { length: 600 },
    (_, i) => new Function("x", `return x + ${i}`) as (x: number) => number,
  );
  const calls = functions.map((fn) => pool.apply(fn, [1]));
  assertEquals(await Promise.all(calls), functions.map((fn) => fn(1)));
  // The first ones have been forgotten since.
  assertEquals(await pool.apply(functions[0]!, [1]), 1);
});

// --- by reference ---

test("importTasks() gives the functions of a module, which workers import once", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const tasks = importTasks<Tasks>(tasksUrl);
  assertEquals(await pool.map(tasks.quadruple, [1, 2, 3]), [4, 8, 12]);
  assertEquals(await pool.apply(tasks.count), 1);
  assertEquals(await pool.apply(importTasks<Tasks>(tasksUrl.href).count), 2);
});

test("importTasks() names what is missing when a module does not export a function", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const tasks = importTasks<Tasks & { missing: () => void }>(tasksUrl);
  const { message } = await assertRejects(
    () => pool.apply(tasks.missing),
    TypeError,
  );
  assertStringIncludes(message, "missing");
  assertStringIncludes(message, "tasks.ts");
  // @ts-expect-error Only functions can be named.
  await assertRejects(() => pool.apply(tasks.notAFunction), TypeError);
  assertEquals(await pool.apply(tasks.count), 1);
});

test("importTasks() finds functions of a CommonJS module that its text does not name", async () => {
  const url = new URL("./fixtures/functions/frozen.cjs", import.meta.url);
  const tasks = importTasks<
    { half: (x: number) => number; toString: () => string }
  >(url);
  for (
    const pool of [
      new WorkerPool({ nJobs: 1 }),
      new WorkerPool({ startMethod: "serial" }),
    ]
  ) {
    assertEquals(await pool.map(tasks.half, [2, 4]), [1, 2]);
    // Only what the module has put there.
    await assertRejects(
      () => pool.apply(tasks.toString),
      TypeError,
      "current value is undefined",
    );
    await pool.join();
  }
});

test("importTasks() gives references that cannot be called", () => {
  const tasks = importTasks<Tasks>(tasksUrl);
  assertThrows(() => tasks.quadruple(1), TypeError, "quadruple");
  assertThrows(() => importTasks("./tasks.ts"), TypeError, "absolute");
});

test("task() returns the function itself", () => {
  const fn = (x: number) => x + outside;
  assert(task(fn) === fn);
  assertThrows(() => task("fn" as never), TypeError);
});

test("isMainThread is true here and false in a worker", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  assertEquals(isMainThread, true);
  assertEquals(
    await pool.apply(async () => (await import("../mod.ts")).isMainThread),
    false,
  );
});

test("WorkerPool runs task() functions of the main module", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(
    new URL("./fixtures/functions/reference.ts", import.meta.url),
    { timeout: 40_000 },
  );
  assertEquals(
    { code, stdout, stderr, timedOut },
    {
      code: 0,
      stdout: [
        "main",
        "scale 3 6 9",
        "viaImport 3 5 7",
        "add 2 3",
        "add 11 12",
        "add 101 102",
        "late 1.5",
        "direct 15",
        "counts true 0",
        "nested 4 9 6 9",
        "again 12",
        "missing ReferenceError true",
        "init 3",
        "answer 42",
        "",
      ].join("\n"),
      stderr: "",
      timedOut: false,
    },
  );
});

test("WorkerPool never takes one task() function for another", async () => {
  const { code, stdout, stderr, timedOut } = await runProgram(
    new URL("./fixtures/functions/reordered.ts", import.meta.url),
    { timeout: 40_000 },
  );
  assertEquals({ code, stdout, stderr, timedOut }, {
    code: 0,
    stdout: "one two\n1 2\nReferenceError\n",
    stderr: "",
    timedOut: false,
  });
});

test("matchTask() goes by the order unless a text shows that it is another", () => {
  const names = ["", "add", "add"];
  const tasks = names.map((name, ordinal) => ({
    ordinal,
    name,
    print: `there ${ordinal}`,
    task: () => ordinal,
  }));
  const find = (ordinal: number, name: string, prints: string[]) =>
    matchTask(
      { kind: "task", url: "file:///a", ordinal, name, prints },
      tasks,
    )();
  const here = ["here 0", "here 1", "here 2"];
  assertEquals(find(2, "add", here), 2);
  assertThrows(() => find(0, "add", here), ReferenceError, "'add'");
  // Some tools change the texts of some functions only.
  assertEquals(find(1, "add", ["there 0", "here 1", "there 2"]), 1);
  assertEquals(find(0, "add", ["there 2", "here 1"]), 2);
  assertThrows(() => find(1, "add", ["there 2", "here 1"]), ReferenceError);
});

// --- pools in workers ---

test("WorkerPool works inside a task", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const results = await pool.map(async (n: number) => {
    const { WorkerPool } = await import("../mod.ts");
    await using inner = new WorkerPool({ nJobs: 2 });
    return await inner.map((x: number) => x * x, [n, n + 1, n + 2]);
  }, [1, 10]);
  assertEquals(results, [[1, 4, 9], [100, 121, 144]]);
});

test("WorkerPool passes on an error of a pool inside a task", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const call = pool.apply(async () => {
    const { WorkerPool } = await import("../mod.ts");
    await using inner = new WorkerPool({ nJobs: 1 });
    await inner.map((x: number) => {
      throw new RangeError(`inner ${x}`);
    }, [7]);
  });
  await assertRejects(() => call, RangeError, "inner 7");
});

test("WorkerPool can be terminated while a task runs a pool of its own", async () => {
  const pool = new WorkerPool({ nJobs: 1 });
  const begun = sharedArray(Int32Array, 1);
  const outcome = pool.apply(async (begun: Int32Array) => {
    const { WorkerPool } = await import("../mod.ts");
    const inner = new WorkerPool({ nJobs: 2 });
    await inner.map(
      async (begun: Int32Array) => {
        Atomics.add(begun, 0, 1);
        await new Promise((resolve) => setTimeout(resolve, 3_600_000));
      },
      [begun, begun],
      { chunkSize: 1 },
    );
  }, [begun]).catch((error) => error.name);
  while (Atomics.load(begun, 0) < 2) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await pool.terminate();
  assertEquals(await outcome, "PoolTerminatedError");
});

// --- permissions ---

// Elsewhere programs run with all permissions: that must hold there too.
test("WorkerPool needs no permission for inline functions", async () => {
  const { code, stdout, stderr } = await runProgram(
    new URL("./fixtures/functions/inline.ts", import.meta.url),
    { permissions: [], timeout: 30_000 },
  );
  assertEquals(
    { code, stdout, stderr },
    { code: 0, stdout: "1 4 9\n5\nRangeError\ntrue\n", stderr: "" },
  );
});
