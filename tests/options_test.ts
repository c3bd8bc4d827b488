import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { WorkerPool } from "./support/pool.ts";

const integer = "a positive integer";

/** Wrong types and wrong values, for options of each kind. */
const notNumbers: unknown[] = ["2", "", null, true, 2n, {}, [], [2], () => 2];
const junk = {
  positiveInteger: {
    types: notNumbers,
    values: [0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53],
    rule: integer,
  },
  length: {
    types: notNumbers,
    values: [-1, 0.5, NaN, Infinity],
    rule: "a non-negative integer",
  },
  chunkSize: {
    types: notNumbers,
    values: [0, 0.99, -1, NaN, Infinity],
    rule: "at least 1",
  },
  flag: { types: [0, 1, "true", null, {}, []], values: [], rule: "a boolean" },
  duration: {
    types: notNumbers,
    values: [0, -1, NaN, -Infinity],
    rule: "milliseconds",
  },
  startMethod: {
    types: [0, null, true, {}, ["threading"]],
    values: ["threads", "", "Threading", "serial "],
    rule: '"threading"',
  },
  onError: {
    types: [0, null, true, {}],
    values: ["ignore", "", "THROW"],
    rule: '"settle"',
  },
  signal: {
    types: [null, true, 5, "x", {}, new Date(), new AbortController()],
    values: [],
    rule: "an AbortSignal",
  },
  preload: {
    types: [null, "x.ts", 5, {}, [5], [null], ["a", {}]],
    values: [],
    rule: "an array",
  },
  lifecycle: {
    types: [null, 5, "x", {}, [], true],
    values: [],
    rule: "a function",
  },
};

type Kind = keyof typeof junk;

const poolOptions: Record<string, Kind> = {
  nJobs: "positiveInteger",
  startMethod: "startMethod",
  passWorkerId: "flag",
  useWorkerState: "flag",
  keepAlive: "flag",
  orderTasks: "flag",
  enableInsights: "flag",
  workerInit: "lifecycle",
  workerExit: "lifecycle",
  workerLifespan: "positiveInteger",
  taskTimeout: "duration",
  workerInitTimeout: "duration",
  workerExitTimeout: "duration",
  idleTimeout: "duration",
  preload: "preload",
};

const applyOptions: Record<string, Kind> = {
  workerInit: "lifecycle",
  workerExit: "lifecycle",
  taskTimeout: "duration",
  workerInitTimeout: "duration",
  workerExitTimeout: "duration",
  signal: "signal",
};

const mapOptions: Record<string, Kind> = {
  ...applyOptions,
  iterableLen: "length",
  chunkSize: "chunkSize",
  nSplits: "positiveInteger",
  maxTasksActive: "positiveInteger",
  workerLifespan: "positiveInteger",
  concurrency: "positiveInteger",
  progressBar: "flag",
};

/** How a value is shown in a message, as far as it is sure to be. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || value === null) return String(value);
  if (typeof value === "boolean") return String(value);
  return "";
}

/** An input that must not be touched. */
function untouchable(): { input: Iterable<never>; wasTouched: () => boolean } {
  let touched = false;
  return {
    input: {
      [Symbol.iterator](): Iterator<never> {
        touched = true;
        return { next: () => ({ done: true, value: undefined }) };
      },
    },
    wasTouched: () => touched,
  };
}

/** A pool that cannot start a worker without its being known. */
function unstartablePool(startMethod: "threading" | "serial" = "threading") {
  return new WorkerPool({ startMethod, nJobs: 1, preload: ["./missing.ts"] });
}

type Verb = (
  pool: WorkerPool,
  task: unknown,
  input: unknown,
  options?: unknown,
) => unknown;

const promised: Record<string, Verb> = {
  map: (pool, task, input, options) =>
    pool.map(task as never, input as never, options as never),
  mapUnordered: (pool, task, input, options) =>
    pool.mapUnordered(task as never, input as never, options as never),
};
const thrown: Record<string, Verb> = {
  imap: (pool, task, input, options) =>
    pool.imap(task as never, input as never, options as never),
  imapUnordered: (pool, task, input, options) =>
    pool.imapUnordered(task as never, input as never, options as never),
};
const verbs = { ...promised, ...thrown };

/** Gets the error of a call, which comes in the way of the verb. */
async function errorOf(
  name: string,
  call: () => unknown,
): Promise<Error> {
  const throws = name.startsWith("imap") || name === "applyAsync";
  const error = throws
    ? assertThrows(call)
    : await assertRejects(call as () => Promise<unknown>);
  return error as Error;
}

function checkError(
  error: Error,
  Class: typeof TypeError | typeof RangeError,
  ...texts: string[]
): void {
  const note = `${error.name}: ${error.message}`;
  assert(error instanceof Class, note);
  for (const text of texts) assertStringIncludes(error.message, text);
}

test("WorkerPool throws for bad options", () => {
  for (const [option, kind] of Object.entries(poolOptions)) {
    const { types, values, rule } = junk[kind];
    for (const value of types) {
      const error = assertThrows(
        () => new WorkerPool({ [option]: value }),
        TypeError,
        option,
        `${option} ${shown(value)}`,
      );
      checkError(error, TypeError, rule, shown(value));
    }
    for (const value of values) {
      const error = assertThrows(
        () => new WorkerPool({ [option]: value }),
        RangeError,
        option,
        `${option} ${shown(value)}`,
      );
      checkError(error, RangeError, rule, shown(value));
    }
    // Not given is not bad.
    void new WorkerPool({ [option]: undefined });
  }
  for (const options of [null, 5, "x", true, () => {}, []]) {
    assertThrows(() => new WorkerPool(options as never), TypeError, "options");
  }
  const unknown = assertThrows(
    () => new WorkerPool({ njobs: 2 } as never),
    RangeError,
    "njobs",
  );
  assertStringIncludes(unknown.message, "2");
  assertThrows(
    () => new WorkerPool({ preload: ["./a.ts", 7] } as never),
    TypeError,
    "current value is 7",
  );
  assertThrows(
    () => new WorkerPool({ workerInit: Math.max as never }),
    TypeError,
    "workerInit",
  );
  assertThrows(
    () => new WorkerPool({ workerExit: (() => {}).bind(null) }),
    TypeError,
    "workerExit",
  );
});

for (const [name, verb] of Object.entries(verbs)) {
  test(`WorkerPool.${name}() refuses bad options before anything starts`, async () => {
    await using pool = unstartablePool();
    const { input, wasTouched } = untouchable();
    const task = (x: unknown) => x;
    const call = (options: unknown) =>
      errorOf(name, () => verb(pool, task, input, options));
    for (
      const [option, kind] of Object.entries({
        ...mapOptions,
        onError: "onError" as const,
      })
    ) {
      const { types, values, rule } = junk[kind];
      for (const value of types) {
        const error = await call({ [option]: value });
        checkError(error, TypeError, option, rule, shown(value));
      }
      for (const value of values) {
        const error = await call({ [option]: value });
        checkError(error, RangeError, option, rule, shown(value));
      }
    }
    for (const options of [null, 5, "x", true]) {
      checkError(await call(options), TypeError, "options", "an object");
    }
    checkError(await call({ chunksize: 3 }), RangeError, "chunksize", "3");
    checkError(await call({ closure: 5 }), TypeError, "closure", "5");
    checkError(await call({ closure: null }), TypeError, "closure", "null");
    assertFalse(wasTouched());
    // No worker has been started, which would have failed.
    await pool.join();
  });

  test(`WorkerPool.${name}() refuses what is no task or no input`, async () => {
    await using pool = unstartablePool();
    const { input, wasTouched } = untouchable();
    for (const task of [null, undefined, 5, "x => x", {}, [], true]) {
      const error = await errorOf(name, () => verb(pool, task, input));
      checkError(error, TypeError, "task", shown(task));
    }
    for (const task of [Math.max, [].map, ((x: number) => x).bind(null)]) {
      const error = await errorOf(name, () => verb(pool, task, input));
      checkError(error, TypeError, "task");
    }
    assertFalse(wasTouched());
    const task = (x: unknown) => x;
    for (const bad of [null, undefined, 5, true, {}, () => [], { length: 2 }]) {
      const error = await errorOf(name, () => verb(pool, task, bad));
      checkError(error, TypeError, "args", "iterable", shown(bad));
    }
  });
}

test("WorkerPool.mapChunks() refuses bad options, arrays and tasks", async () => {
  await using pool = unstartablePool();
  const task = (x: unknown) => x;
  const call = (task: unknown, array: unknown, options?: unknown) =>
    errorOf(
      "mapChunks",
      () => pool.mapChunks(task as never, array as never, options as never),
    );
  for (
    const [option, kind] of Object.entries({
      ...mapOptions,
      concatenateOutput: "flag" as const,
    })
  ) {
    const { types, values, rule } = junk[kind];
    for (const value of types) {
      const error = await call(task, [1], { [option]: value });
      checkError(error, TypeError, option, rule, shown(value));
    }
    for (const value of values) {
      const error = await call(task, [1], { [option]: value });
      checkError(error, RangeError, option, rule, shown(value));
    }
  }
  for (
    const array of [
      null,
      5,
      "text",
      new Set([1]),
      {},
      new DataView(new ArrayBuffer(2)),
    ]
  ) {
    checkError(await call(task, array), TypeError, "array", shown(array));
  }
  checkError(await call(Math.max, [1]), TypeError, "task");
  checkError(await call(null, [1]), TypeError, "task");
  checkError(await call(task, [1], { size: 2 }), RangeError, "size");
  checkError(await call(task, [1], null), TypeError, "options");
});

for (const name of ["apply", "applyAsync"] as const) {
  test(`WorkerPool.${name}() refuses bad options, arguments and tasks`, async () => {
    await using pool = unstartablePool();
    const task = () => 1;
    const call = (task: unknown, args?: unknown, options?: unknown) =>
      errorOf(
        name,
        () =>
          name === "apply"
            ? pool.apply(task as never, args as never, options as never)
            : pool.applyAsync(task as never, args as never, options as never),
      );
    for (const [option, kind] of Object.entries(applyOptions)) {
      const { types, values, rule } = junk[kind];
      for (const value of types) {
        const error = await call(task, [], { [option]: value });
        checkError(error, TypeError, option, rule, shown(value));
      }
      for (const value of values) {
        const error = await call(task, [], { [option]: value });
        checkError(error, RangeError, option, rule, shown(value));
      }
    }
    for (const args of [null, 5, "text", new Set([1]), {}, { length: 0 }]) {
      checkError(await call(task, args), TypeError, "args", shown(args));
    }
    for (const bad of [null, undefined, 5, "x => x", {}]) {
      checkError(await call(bad), TypeError, "task", shown(bad));
    }
    for (const bad of [Math.max, (() => 1).bind(null)]) {
      checkError(await call(bad), TypeError, "task");
    }
    checkError(await call(task, [], { chunkSize: 2 }), RangeError, "chunkSize");
    checkError(await call(task, [], null), TypeError, "options");
    checkError(await call(task, [], { closure: "x" }), TypeError, "closure");
  });
}

test("WorkerPool setters refuse what is no boolean", () => {
  const pool = new WorkerPool({ nJobs: 1 });
  const setters = [
    "passOnWorkerId",
    "setUseWorkerState",
    "setKeepAlive",
    "setOrderTasks",
  ] as const;
  for (const setter of setters) {
    for (const value of [0, 1, "true", null, {}]) {
      assertThrows(
        () => pool[setter](value as never),
        TypeError,
        shown(value) || "boolean",
      );
    }
  }
});

test("WorkerPool is usable after calls that were refused (MPIRE bug 2)", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const same = (x: number) => x;
  for (const verb of Object.keys(verbs)) {
    await errorOf(verb, () => verbs[verb]!(pool, same, [1], { chunkSize: 0 }));
    assertEquals(await pool.mapUnordered(same, [1, 2]), [1, 2]);
    const results = [];
    for await (const x of pool.imapUnordered(same, [1, 2])) results.push(x);
    assertEquals(results, [1, 2]);
  }
});

test("No junk makes an option hang, crash or fail with an error of another kind", async () => {
  await using pool = new WorkerPool({ startMethod: "serial" });
  const names = [
    ...new Set([
      ...Object.keys(mapOptions),
      ...Object.keys(poolOptions),
      "onError",
      "closure",
      "concatenateOutput",
      "progressBarOptions",
      "progressBarStyle",
      "onProgress",
      "cpuIds",
      "sharedObjects",
      "toString",
      "__proto__",
    ]),
  ];
  const value = fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true }),
    fc.constantFrom(
      Symbol("s"),
      () => 1,
      Math.max,
      class {},
      Object.create(null),
    ),
  );
  const isRefusal = (error: unknown) =>
    error instanceof TypeError || error instanceof RangeError;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      value,
      value,
      async (name, junk, other) => {
        const options = { [name]: junk };
        try {
          void new WorkerPool(options as never);
        } catch (error) {
          assert(isRefusal(error), `new WorkerPool: ${String(error)}`);
        }
        // Such a bar is drawn, and such a time may really be over.
        if (name === "progressBar" && junk === true) return;
        if (name.endsWith("Timeout") && typeof junk === "number" && junk > 0) {
          return;
        }
        for (const [verb, run] of Object.entries(promised)) {
          let read = 0;
          const input = (function* () {
            while (read < 3) yield read++;
          })();
          const outcome = await Promise.resolve(
            run(pool, () => 1, input, options),
          ).then(() => "done", (error) => error);
          if (outcome === "done") continue;
          // What runs in a worker may throw what it likes.
          const runsJunk = typeof junk === "function" &&
            (name === "workerInit" || name === "workerExit" ||
              name === "onProgress");
          assert(isRefusal(outcome) || runsJunk, `${verb} ${name}: ${outcome}`);
          if (!runsJunk) assertEquals(read, 0, `${verb} ${name}`);
        }
        for (const bad of [junk, other]) {
          const task = () => 1;
          const isFine = typeof bad === "string" ||
            (typeof bad === "object" && bad !== null && Symbol.iterator in bad);
          if (!isFine) {
            const error = await assertRejects(() =>
              pool.map(task, bad as never)
            );
            assert(isRefusal(error), String(error));
          }
          if (typeof bad !== "function") {
            const error = await assertRejects(() =>
              pool.map(bad as never, [1])
            );
            assert(isRefusal(error), String(error));
          }
          if (!Array.isArray(bad) && bad !== undefined) {
            const error = await assertRejects(() =>
              pool.apply(task, bad as never)
            );
            assert(isRefusal(error), String(error));
          }
        }
      },
    ),
    { numRuns: 1500 },
  );
  assertEquals(await pool.map((x: number) => x, [1]), [1]);
});
