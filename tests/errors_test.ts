import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { test } from "node:test";
import { importTasks, sharedArray } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";

const thisFile = "errors_test.ts";
const tasks = importTasks<typeof import("./fixtures/errors/tasks.ts")>(
  new URL("./fixtures/errors/tasks.ts", import.meta.url),
);

/** What a call of the function in a worker rejects with. */
async function rejectionOf<A extends unknown[] | []>(
  task: (...args: A) => unknown,
  ...args: A
): Promise<unknown> {
  await using pool = new WorkerPool({ nJobs: 1 });
  try {
    await pool.apply(task, args);
  } catch (error) {
    return error;
  }
  throw new Error("The task did not fail");
}

function linesOf(error: unknown): string[] {
  assertInstanceOf(error, Error);
  return error.stack!.split("\n");
}

// --- class, name, message, properties ---

test("WorkerPool.map() rejects with a built-in error class when a task throws it", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const classes = [
    Error,
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  ];
  for (const ErrorClass of classes) {
    const error = await assertRejects(
      () =>
        pool.map((name: "Error") => {
          throw new globalThis[name](`a ${name}`);
        }, [ErrorClass.name as "Error"]),
      ErrorClass,
    );
    assertStrictEquals(error.constructor, ErrorClass);
    assertEquals(error.name, ErrorClass.name);
    assertEquals(error.message, `a ${ErrorClass.name}`);
  }
});

test("WorkerPool.map() rejects with the error of an async task", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const error = await assertRejects(
    () =>
      pool.map(async (x: number) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (x === 2) throw new RangeError(`not ${x}`);
        return x;
      }, [1, 2, 3]),
    RangeError,
  );
  assertEquals(error.message, "not 2");
});

test("WorkerPool keeps name and base class of an error when the class is the user's", async () => {
  const error = await rejectionOf(() => {
    class QuotaError extends RangeError {
      override name = "QuotaError";
      limit = 5;
    }
    throw new QuotaError("too many");
  });
  assertInstanceOf(error, RangeError);
  assertEquals(error.name, "QuotaError");
  assertEquals(error.message, "too many");
  assertEquals((error as RangeError & { limit: number }).limit, 5);
  assertMatch(error.stack!, /^QuotaError: too many\n/);
});

test("WorkerPool keeps own properties of an error", async () => {
  const error = await rejectionOf(() => {
    throw Object.assign(new Error("no entry"), {
      code: "E_NO_ENTRY",
      detail: { path: ["a", "b"], at: new Date(5) },
      seen: new Map([[1, "one"]]),
    });
  });
  assertInstanceOf(error, Error);
  const { code, detail, seen } = error as unknown as Record<string, unknown>;
  assertEquals(
    { code, detail, seen },
    {
      code: "E_NO_ENTRY",
      detail: { path: ["a", "b"], at: new Date(5) },
      seen: new Map([[1, "one"]]),
    },
  );
});

test("WorkerPool keeps the code of a system error", async () => {
  const error = await rejectionOf(async () => {
    const { readFileSync } = await import("node:fs");
    readFileSync("/no/such/file");
  });
  assertInstanceOf(error, Error);
  assertEquals((error as Error & { code: string }).code, "ENOENT");
  assertMatch(error.message, /no such file/i);
});

test("WorkerPool keeps the other properties of an error when one cannot be sent", async () => {
  const error = await rejectionOf(() => {
    throw Object.assign(new TypeError("partly"), {
      callback: () => {},
      code: "KEPT",
    });
  });
  assertInstanceOf(error, TypeError);
  assertEquals(error.message, "partly");
  assertEquals((error as TypeError & { code: string }).code, "KEPT");
});

test("WorkerPool settles when a property of an error throws as it is read", async () => {
  const error = await rejectionOf(() => {
    throw Object.defineProperty(new Error("guarded"), "trap", {
      enumerable: true,
      get() {
        throw new Error("do not look");
      },
    });
  });
  assertInstanceOf(error, Error);
  assertEquals(error.message, "guarded");
});

test("WorkerPool rejects with a frozen error as with any other", async () => {
  const error = await rejectionOf(() => {
    throw Object.freeze(new RangeError("frozen"));
  });
  assertInstanceOf(error, RangeError);
  assertEquals(error.message, "frozen");
});

// --- cause, errors ---

test("WorkerPool keeps the chain of causes of an error", async () => {
  const error = await rejectionOf(() => {
    const root = new RangeError("root", { cause: { reason: 42 } });
    const middle = Object.assign(new TypeError("middle", { cause: root }), {
      code: 7,
    });
    throw new Error("top", { cause: middle });
  });
  assertInstanceOf(error, Error);
  const middle = error.cause;
  assertInstanceOf(middle, TypeError);
  assertEquals(middle.message, "middle");
  assertEquals((middle as TypeError & { code: number }).code, 7);
  const root = middle.cause;
  assertInstanceOf(root, RangeError);
  assertEquals(root.message, "root");
  assertEquals(root.cause, { reason: 42 });
});

test("WorkerPool keeps an error that is its own cause", async () => {
  const error = await rejectionOf(() => {
    const outer = new Error("outer");
    outer.cause = new Error("inner", { cause: outer });
    throw outer;
  });
  assertInstanceOf(error, Error);
  assertEquals(error.message, "outer");
  assertInstanceOf(error.cause, Error);
  assertEquals(error.cause.message, "inner");
});

test("WorkerPool keeps a cause that is undefined apart from none", async () => {
  const without = await rejectionOf(() => {
    throw new Error("none");
  });
  assertEquals(Object.hasOwn(without as Error, "cause"), false);
  const withUndefined = await rejectionOf(() => {
    throw new Error("undefined", { cause: undefined });
  });
  assertEquals(Object.hasOwn(withUndefined as Error, "cause"), true);
});

test("WorkerPool keeps the errors of an AggregateError", async () => {
  const error = await rejectionOf(async () => {
    await Promise.any([
      Promise.reject(new TypeError("first")),
      Promise.reject("second"),
      Promise.reject(new AggregateError([new RangeError("deep")], "third")),
    ]);
  });
  assertInstanceOf(error, AggregateError);
  const [first, second, third] = error.errors;
  assertInstanceOf(first, TypeError);
  assertEquals(first.message, "first");
  assertEquals(second, "second");
  assertInstanceOf(third, AggregateError);
  assertInstanceOf(third.errors[0], RangeError);
  assertEquals(third.errors[0].message, "deep");
  assertEquals(error.errors.length, 3);
});

test("WorkerPool keeps a DOMException", async () => {
  const error = await rejectionOf(() => {
    throw new DOMException("took too long", "TimeoutError");
  });
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "TimeoutError");
  assertEquals(error.message, "took too long");
  assertEquals(error.code, 23);
});

// --- thrown values that are no errors ---

test("WorkerPool rejects with the very value when a task throws no error", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const values = [
    "text",
    "",
    0,
    Number.NaN,
    12n,
    null,
    undefined,
    true,
    { a: [1, { b: 2 }] },
    [1, 2],
    new Map([["key", new Set([1])]]),
  ];
  for (const value of values) {
    const outcome = await pool.apply((value: unknown) => {
      throw value;
    }, [value]).then(() => ["resolved"], (reason) => ["rejected", reason]);
    assertEquals(outcome, ["rejected", value]);
  }
});

test("WorkerPool settles when a task throws what cannot be sent", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (const kind of ["function", "symbol", "object", "proxy", "promise"]) {
    const outcome = await pool.apply((kind: string) => {
      const values: Record<string, unknown> = {
        function: () => {},
        symbol: Symbol("mark"),
        object: { callback: () => {} },
        proxy: new Proxy({}, {
          get() {
            throw new Error("no trespassing");
          },
          ownKeys() {
            throw new Error("no trespassing");
          },
          getPrototypeOf() {
            throw new Error("no trespassing");
          },
        }),
        promise: Promise.resolve(1),
      };
      throw values[kind];
    }, [kind]).then(() => "resolved", () => "rejected");
    assertEquals([kind, outcome], [kind, "rejected"]);
  }
  assertEquals(await pool.apply((x: number) => x, [1]), 1);
});

// --- the stack ---

test("WorkerPool shows the task's frame, worker and arguments, then the caller's frames in a stack", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  function explode(x: number, y: string) {
    throw new TypeError(`boom ${x} ${y}`);
  }
  async function callPool() {
    await pool.map(explode, [[4, "a"]] as [number, string][]);
  }
  const lines = linesOf(await assertRejects(callPool, TypeError));
  assertEquals(lines[0], "TypeError: boom 4 a");
  assertMatch(lines[1]!, /^ {4}at .*\bexplode\b/);
  const note = lines.findIndex((line) => line.includes("worker 0"));
  assert(note > 1, lines.join("\n"));
  assertStringIncludes(lines[note]!, `(4, "a")`);
  const caller = lines.findIndex((line) => line.includes(thisFile));
  assert(caller > note, lines.join("\n"));
  assertMatch(lines[caller]!, /\bcallPool\b/);
});

test("WorkerPool shows neither its own frames nor data: URLs in the stack of a failed task", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const failing = [
    () => pool.map(() => JSON.parse("{"), [1]),
    () =>
      pool.map(async () => {
        await Promise.resolve();
        throw new Error("late");
      }, [1]),
    () => pool.apply(() => Promise.reject(new Error("rejected"))),
    () =>
      pool.map((x: number) => Promise.reject(new Error(`${x}`)), [1, 2], {
        concurrency: 2,
      }),
    () => pool.map(tasks.fail, [1] as never[]),
  ];
  for (const call of failing) {
    const { stack } = await assertRejects(call, Error);
    assertNotMatch(stack!, /data:|base64/);
    assertNotMatch(stack!, /src\/(?:pool|worker|map_call|crew|wire)/);
    assert(stack!.length < 3_000, stack!);
  }
});

test("WorkerPool leads the stack to the caller for every verb", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = (_x: number): number => {
    throw new Error("boom");
  };
  const verbs: Record<string, () => Promise<unknown>> = {
    map: () => pool.map(task, [1]),
    mapUnordered: () => pool.mapUnordered(task, [1]),
    imap: async () => await pool.imap(task, [1]).next(),
    imapUnordered: async () => await pool.imapUnordered(task, [1]).next(),
    mapChunks: () =>
      pool.mapChunks((_slice: number[]): number[] => {
        throw new Error("boom");
      }, [1, 2]),
    apply: () => pool.apply(task, [1]),
    applyAsync: async () => await pool.applyAsync(task, [1]),
  };
  for (const [verb, call] of Object.entries(verbs)) {
    const lines = linesOf(await assertRejects(call, Error, "boom"));
    const note = lines.findIndex((line) => line.includes("worker 0"));
    const caller = lines.findIndex((line) => line.includes(thisFile));
    assert(note > 0 && caller > note, `${verb}: ${lines.join("\n")}`);
  }
});

test("WorkerPool shortens long arguments in a stack", async () => {
  const error = await rejectionOf(
    (..._args: unknown[]) => {
      throw new Error("boom");
    },
    "x".repeat(100_000),
    Array.from({ length: 10_000 }, (_, i) => i),
    new Float64Array(50_000),
  );
  const note = linesOf(error).find((line) => line.includes("worker 0"))!;
  assertStringIncludes(note, "xxx");
  assert(note.length < 400, `${note.length} characters`);
});

test("WorkerPool shows the frames of the task's module in a stack", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () => pool.map(tasks.fail, [9]),
    RangeError,
    "refused 9",
  );
  const lines = linesOf(error);
  assertMatch(lines[1]!, /refuse.*tasks\.ts:9:/);
  assertMatch(lines[2]!, /fail.*tasks\.ts:4:/);
  assert(lines.some((line) => line.includes(thisFile)), error.stack);
});

test("WorkerPool names the failed task of a chunk, not its first, in a stack", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { stack } = await assertRejects(
    () =>
      pool.map(
        (x: number) => {
          if (x === 23) throw new Error("boom");
        },
        Array.from({ length: 50 }, (_, i) => i),
        { chunkSize: 25 },
      ),
    Error,
  );
  assertStringIncludes(stack!, "(23)");
});

// --- what cannot be sent ---

test("WorkerPool.map() rejects with a DataCloneError that names the property when an argument cannot be sent", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const input: object[] = [
    { deep: { fine: 1 } },
    { deep: { list: [1, { onDone: () => {} }] } },
  ];
  const error = await assertRejects(
    () => pool.map((value: unknown) => typeof value, input),
    DOMException,
  );
  assertEquals(error.name, "DataCloneError");
  assertStringIncludes(error.message, "deep.list[1].onDone");
  assertEquals(await pool.map((x: number) => x + 1, [1, 2]), [2, 3]);
});

test("WorkerPool.map() settles only the task whose argument cannot be sent when onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const input = Array.from(
    { length: 12 },
    (_, i) => ({ i, value: i % 5 === 4 ? Symbol("no") : i }),
  );
  for (const chunkSize of [1, 6]) {
    const outcomes = await pool.map(({ i }: { i: number }) => i * 2, input, {
      chunkSize,
      onError: "settle",
    });
    outcomes.forEach((outcome, i) => {
      if (i % 5 === 4) {
        assert(outcome.status === "rejected");
        assertEquals(outcome.reason.name, "DataCloneError");
        assertStringIncludes(outcome.reason.message, "value");
      } else {
        assertEquals(outcome, { status: "fulfilled", value: i * 2 });
      }
    });
    assertEquals(outcomes.length, 12);
  }
});

test("WorkerPool.map() settles only the task whose result cannot be sent when onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const outcomes = await pool.map(
    (i: number): unknown => i % 4 === 1 ? { inner: { run: () => i } } : i,
    Array.from({ length: 10 }, (_, i) => i),
    { chunkSize: 5, onError: "settle" },
  );
  outcomes.forEach((outcome, i) => {
    if (i % 4 === 1) {
      assert(outcome.status === "rejected");
      assertEquals(outcome.reason.name, "DataCloneError");
      assertStringIncludes(outcome.reason.message, "inner.run");
    } else {
      assertEquals(outcome, { status: "fulfilled", value: i });
    }
  });
  assertEquals(outcomes.length, 10);
});

test("WorkerPool.map() rejects with a DataCloneError that names the property when a result cannot be sent", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  for (const concurrency of [1, 3]) {
    const error = await assertRejects(
      () =>
        pool.map(
          (x: number): Promise<unknown> =>
            Promise.resolve({ x, handlers: new Map([["go", () => x]]) }),
          [1, 2, 3],
          { concurrency },
        ),
      DOMException,
    );
    assertEquals(error.name, "DataCloneError");
    assertStringIncludes(error.message, "handlers");
    assertEquals(await pool.map((x: number) => x, [5]), [5]);
  }
});

test("WorkerPool.apply() rejects only the task whose arguments or result cannot be sent", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const echo = (value: unknown) => value;
  const outcomes = await Promise.allSettled([
    pool.apply(echo, [1]),
    pool.apply(echo, [{ callback: () => {} }]),
    pool.apply(echo, [2]),
    pool.apply((): unknown => ({ weak: new WeakMap() })),
    pool.apply(echo, [3]),
  ]);
  assertEquals(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.name),
    [1, "DataCloneError", 2, "DataCloneError", 3],
  );
  const [, argument, , result] = outcomes as PromiseRejectedResult[];
  assertStringIncludes(argument!.reason.message, "callback");
  assertStringIncludes(result!.reason.message, "weak");
});

test("WorkerPool.map() drops results and goes on when a getter of an argument throws", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const input: (number | object)[] = [1, {
    get trap() {
      throw new RangeError("do not read");
    },
  }];
  await assertRejects(() => pool.map((x: unknown) => typeof x, input), Error);
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
});

test("WorkerPool names 'sharedObjects' when they cannot be sent", async () => {
  const pool = new WorkerPool({
    nJobs: 2,
    sharedObjects: { config: { log: () => {} } },
  });
  const error = await assertRejects(
    () => pool.map((_shared, x: number) => x, [1]),
    DOMException,
  );
  assertEquals(error.name, "DataCloneError");
  assertStringIncludes(error.message, "sharedObjects");
  assertStringIncludes(error.message, "config.log");
  await pool.join();
});

test("WorkerPool names 'closure' when a property of it cannot be sent", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const closure = { table: { weak: new WeakSet() } };
  const error = await assertRejects(
    () => pool.map((x: number) => x, [1], { closure }),
    DOMException,
  );
  assertEquals(error.name, "DataCloneError");
  assertStringIncludes(error.message, "closure");
});

// --- what else goes on ---

test("WorkerPool.map() rejects with the first error and starts no further chunk when a task throws", async () => {
  await using pool = new WorkerPool({ nJobs: 2 });
  const started = sharedArray(Int32Array, 1);
  await assertRejects(
    () =>
      pool.map(
        (x: number, started: Int32Array) => {
          Atomics.add(started, 0, 1);
          if (x === 0) throw new RangeError("first");
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
        },
        Array.from({ length: 2_000 }, (_, x) => [x, started] as const) as [
          number,
          Int32Array,
        ][],
        { chunkSize: 10 },
      ),
    RangeError,
    "first",
  );
  await pool.join();
  assert(started[0]! < 1_000, `${started[0]} tasks were started`);
});

test("WorkerPool keeps its workers and their state when a task throws", async () => {
  await using pool = new WorkerPool({ nJobs: 1, useWorkerState: true });
  await pool.apply((state) => {
    state.mark = "kept";
  });
  await assertRejects(
    () =>
      pool.map((_state, _x: number) => {
        throw new Error("boom");
      }, [1, 2, 3]),
  );
  assertEquals(await pool.apply((state) => state.mark), "kept");
});

test("WorkerPool.map() gives all outcomes in order when onError is settle", async () => {
  await using pool = new WorkerPool({ nJobs: 3 });
  const outcomes = await pool.map(
    (x: number) => {
      if (x % 3 === 0) throw new RangeError(`no ${x}`);
      return x;
    },
    Array.from({ length: 40 }, (_, i) => i),
    { onError: "settle", chunkSize: 7 },
  );
  assertEquals(
    outcomes.map((o) => o.status === "fulfilled" ? o.value : o.reason.message),
    Array.from({ length: 40 }, (_, i) => i % 3 === 0 ? `no ${i}` : i),
  );
});

test("WorkerPool.imap() gives the results before a failed task, its error, then the end", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const results = pool.imap(
    (x: number) => {
      if (x === 2) throw new RangeError("third");
      return x;
    },
    [0, 1, 2, 3],
    { chunkSize: 1, maxTasksActive: 1 },
  );
  assertEquals(await results.next(), { done: false, value: 0 });
  assertEquals(await results.next(), { done: false, value: 1 });
  await assertRejects(() => results.next(), RangeError, "third");
  assertEquals(await results.next(), { done: true, value: undefined });
});

test("WorkerPool adds no hint to the ReferenceError of a function by reference", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const error = await assertRejects(
    () => pool.apply(tasks.useMissing),
    ReferenceError,
    "missingInModule",
  );
  assertNotMatch(error.message, /closure/);
});

test("WorkerPool rejects in the same way when startMethod is serial", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  function explode(x: number) {
    throw Object.assign(new TypeError(`boom ${x}`), { code: 7 });
  }
  const error = await assertRejects(() => pool.map(explode, [3]), TypeError);
  assertEquals(error.message, "boom 3");
  assertEquals((error as TypeError & { code: number }).code, 7);
  assertMatch(error.stack!, /explode/);
  assertMatch(error.stack!, /worker 0.*\(3\)/);
  const outcome = await pool.map(
    (x: number) => {
      if (x === 1) throw "one";
      return x;
    },
    [0, 1, 2],
    { onError: "settle" },
  );
  assertEquals(outcome, [
    { status: "fulfilled", value: 0 },
    { status: "rejected", reason: "one" },
    { status: "fulfilled", value: 2 },
  ]);
});
