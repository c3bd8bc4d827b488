// Values that throw when they are looked at, and memory that is gone: they may
// cost their own task, and never leave a call or the pool waiting.
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { test } from "node:test";
import { transfer, WorkerPool as AnyPool } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { testShared } from "./support/shared.ts";
import { soon, startMethods } from "./support/waiting.ts";

/** Fails where the call, or the one after it, never settles. */
async function assertStaysUsable(
  pool: { apply(task: () => number): Promise<number> },
  call: PromiseLike<unknown>,
): Promise<unknown> {
  const outcome = await soon(
    call.then(() => undefined, (error) => error),
    "the call",
  );
  assertEquals(await soon(pool.apply(() => 2), "the next call"), 2);
  return outcome;
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const kind = (value: unknown) => typeof value;

// --- arguments ---

test("an argument whose getter throws fails its task, also after transfer()", async () => {
  transfer(new ArrayBuffer(1));
  await using pool = new WorkerPool({ nJobs: 1 });
  const unreadable = {
    get x() {
      throw new Error("no x");
    },
  };
  for (
    const call of [
      () => pool.map(kind, [unreadable]),
      () => pool.apply(kind, [unreadable]),
    ]
  ) {
    const error = await assertStaysUsable(pool, call());
    assertEquals((error as Error).name, "DataCloneError");
    assertStringIncludes((error as Error).message, "property 'x'");
  }
});

test("a large collection can be sent there and back after transfer()", async () => {
  transfer(new ArrayBuffer(1));
  await using pool = new WorkerPool({ nJobs: 1 });
  const numbers = Array.from({ length: 300_000 }, (_, i) => i);
  const map = new Map(numbers.map((n) => [n, n]));
  const same = (value: Map<number, number>) => {
    transfer(new ArrayBuffer(1));
    return value;
  };
  const result = await pool.apply(same, [map], { closure: { transfer } });
  assertEquals(result.size, 300_000);
  const sizes = await pool.map(
    (value: Set<number>) => value.size,
    [new Set(numbers)],
  );
  assertEquals(sizes, [300_000]);
});

for (const startMethod of startMethods) {
  test(`a revoked Proxy as an argument fails its task (${startMethod})`, async () => {
    await using pool = new AnyPool({ nJobs: 1, startMethod });
    const error = await assertStaysUsable(pool, pool.map(kind, [revoked()]));
    assertInstanceOf(error, TypeError);
    const settled = await pool.map(kind, [revoked(), 1], {
      onError: "settle",
    });
    assertEquals(settled.map(({ status }) => status), [
      "rejected",
      "fulfilled",
    ]);
  });
}

test("a view is sent as what it is, whatever its class calls itself", async () => {
  class Renamed extends Uint8Array {
    override get [Symbol.toStringTag](): "Uint8Array" {
      return "Blob" as "Uint8Array";
    }
  }
  await using pool = new WorkerPool({ nJobs: 1 });
  const length = (view: Uint8Array) => view.length;
  assertEquals(await soon(pool.apply(length, [new Renamed(3)]), "it"), 3);
  const result = await soon(
    pool.apply(() => {
      class Renamed extends Uint8Array {
        override get [Symbol.toStringTag](): "Uint8Array" {
          return "Renamed" as "Uint8Array";
        }
      }
      return new Renamed(3).fill(7);
    }),
    "the result",
  );
  assertEquals([...result], [7, 7, 7]);
});

test("a moved port arrives beside an argument that cannot be sent", async () => {
  await using pool = new AnyPool({ nJobs: 1 });
  const { port1, port2 } = new MessageChannel();
  const inputs = [transfer(port1), () => {}];
  const results = await pool.map(kind, inputs, {
    onError: "settle",
    chunkSize: 2,
  });
  port2.close();
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected"]);
});

test("WorkerPool.apply() reads its arguments when it is called", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const args: [number, number] = [0, 0];
  const sums: Promise<number>[] = [];
  for (let i = 0; i < 5; i++) {
    args[0] = i;
    sums.push(pool.apply((a: number, b: number) => a + b, args));
  }
  assertEquals(await Promise.all(sums), [0, 1, 2, 3, 4]);
});

for (const settle of [true, false]) {
  test(`an argument that cannot be moved fails its task alone, settle: ${settle}`, async () => {
    await using pool = new AnyPool({ nJobs: 1 });
    const gone = transfer(new Uint8Array(4));
    await pool.apply(kind, [gone]);
    const locked = new ReadableStream();
    locked.getReader();
    const { port1, port2 } = new MessageChannel();
    await pool.apply(kind, [transfer(port1)]);
    for (
      const [bad, says] of [
        [gone, "argument 0 as it is a detached ArrayBuffer"],
        [transfer(locked), "argument 0 as it has a part that cannot be moved"],
        [port1, "argument 0 as it has a part that cannot be moved"],
      ] as const
    ) {
      const inputs = [5, bad];
      const options = { chunkSize: 2 } as const;
      let error: Error;
      if (settle) {
        const results = await soon(
          pool.map(kind, inputs, { ...options, onError: "settle" }),
          "the call",
        );
        assertEquals(results.map(({ status }) => status), [
          "fulfilled",
          "rejected",
        ]);
        error = (results[1] as PromiseRejectedResult).reason;
      } else {
        error = await assertStaysUsable(
          pool,
          pool.map(kind, inputs, options),
        ) as Error;
      }
      assertEquals(error.name, "DataCloneError");
      assertStringIncludes(error.message, says);
    }
    port2.close();
  });
}

test("a result that cannot be moved fails its task alone", async () => {
  await using pool = new AnyPool({ nJobs: 1 });
  const task = (i: number) => {
    if (i !== 1) return transfer(new Uint8Array(i));
    const stream = new ReadableStream();
    stream.getReader();
    return transfer(stream) as never;
  };
  const results = await soon(
    pool.map(task, [0, 1, 2], {
      chunkSize: 3,
      onError: "settle",
      closure: { transfer },
    }),
    "the call",
  );
  assertEquals(results.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  assertEquals(
    (results[1] as PromiseRejectedResult).reason.message,
    "Cannot send the result as it has a part that cannot be moved",
  );
});

// --- results and thrown values ---

for (const startMethod of startMethods) {
  test(`a result whose 'then' cannot be read fails its task (${startMethod})`, async () => {
    await using pool = new AnyPool({ nJobs: 1, startMethod });
    const call = pool.apply(() => ({
      get then() {
        throw new Error("no then");
      },
    }));
    const error = await assertStaysUsable(pool, call);
    assertEquals((error as Error).message, "no then");
  });

  test(`errors that cannot be read are thrown all the same (${startMethod})`, async () => {
    await using pool = new AnyPool({ nJobs: 1, startMethod });
    const call = pool.map((_: number) => {
      throw Object.defineProperty(new Error("mine"), "stack", {
        get() {
          throw new Error("no stack");
        },
      });
    }, [1]);
    const error = await assertStaysUsable(pool, call);
    assertEquals((error as Error).message, "mine");
    await assertStaysUsable(
      pool,
      pool.map((_: number) => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        throw proxy;
      }, [1]).then(() => {
        throw new Error("It did not fail");
      }, () => {}),
    );
  });
}

test("a result that cannot be read fails its call however fast calls follow", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = (i: number) =>
    i % 20 === 19
      ? {
        get a(): number {
          throw new Error("no a");
        },
      }
      : { a: i };
  for (let i = 0; i < 400; i++) {
    const call = pool.apply(task, [i]);
    if (i % 20 === 19) {
      const error = await assertRejects(() => soon(call, `call ${i}`), Error);
      assertStringIncludes(error.message, "property 'a'");
    } else assertEquals((await soon(call, `call ${i}`)).a, i);
  }
});

test("an argument that cannot be read fails its call however fast calls follow", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  for (let i = 0; i < 400; i++) {
    const argument = i % 20 === 19
      ? {
        get a(): number {
          throw new Error("no a");
        },
      }
      : { a: i };
    const call = pool.apply((value: { a: number }) => value.a, [argument]);
    if (i % 20 === 19) {
      const error = await assertRejects(() => soon(call, `call ${i}`), Error);
      assertStringIncludes(error.message, "property 'a'");
    } else assertEquals(await soon(call, `call ${i}`), i);
  }
});

test("an error that holds what transfer() has marked arrives without it", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const task = (_: number) => {
    const { port1 } = new MessageChannel();
    throw Object.assign(new Error("mine"), { port: transfer(port1), code: 7 });
  };
  const closure = { transfer };
  for (
    const call of [
      () => pool.map(task, [1, 2], { closure }),
      () => pool.apply(task, [1], { closure }),
    ]
  ) {
    const error = await assertStaysUsable(pool, call());
    assertEquals((error as Error).message, "mine");
    assertEquals((error as { code?: number }).code, 7);
  }
});

/** What no scan finds: it looks at no properties of large arrays. */
function hidden(depth: number): number[] {
  let chain = {};
  for (let i = 0; i < depth; i++) chain = { chain };
  return Object.assign(Array<number>(100).fill(1), { chain });
}

for (const startMethod of ["threading", "spawn", "forkserver"] as const) {
  test(`a message that cannot be read leaves nobody waiting (${startMethod})`, async () => {
    // Bun reads them all.
    await using pool = new AnyPool({ nJobs: 1, startMethod });
    const closure = { hidden };
    for (const depth of [2500, 3300]) {
      await assertStaysUsable(pool, pool.apply(kind, [hidden(depth)]));
      const call = pool.apply((depth: number) => hidden(depth), [depth], {
        closure,
      });
      await assertStaysUsable(pool, call);
    }
  });
}

// --- memory that is gone ---

for (const startMethod of startMethods) {
  test(`input whose memory is given away fails the call (${startMethod})`, async () => {
    await using pool = new AnyPool({ nJobs: 1, startMethod });
    for (const delay of [0, 30]) {
      const numbers = new Float64Array(1000).fill(1);
      const call = pool.map(
        async (x: number) => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          return x;
        },
        numbers,
        { chunkSize: 10 },
      );
      call.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, delay));
      structuredClone(numbers.buffer, { transfer: [numbers.buffer] });
      const error = await assertStaysUsable(pool, call);
      assertInstanceOf(error, TypeError);
      assertStringIncludes(error.message, "transferred");
    }
  });
}

testShared("memory that a worker made arrives as its exit result", async () => {
  const pool = new WorkerPool({
    nJobs: 1,
    workerExit: async () => {
      const { sharedArray } = await import("../mod.ts");
      return sharedArray(Int32Array, 3).fill(7);
    },
  });
  await pool.apply(() => 1);
  await soon(pool.join(), "join()");
  const [result] = pool.getExitResults();
  assertEquals([...result as Int32Array], [7, 7, 7]);
});

testShared(
  "a call settles whose result's memory goes with its worker",
  async () => {
    await using pool = new WorkerPool({ nJobs: 1 });
    const load = async () => {
      await import("../mod.ts");
    };
    await pool.apply(load);
    for (const settle of [false, true]) {
      const task = async (_: number) => {
        const { sharedArray } = await import("../mod.ts");
        const { default: process } = await import("node:process");
        setTimeout(() => process.exit(3), 50);
        return sharedArray(Float64Array, 2_000_000);
      };
      const call: Promise<unknown> = settle
        ? pool.map(task, [1], { onError: "settle" })
        : pool.map(task, [1]);
      call.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 0));
      // The result and the end of its worker arrive together.
      const end = performance.now() + 400;
      while (performance.now() < end);
      await assertStaysUsable(pool, call);
    }
  },
);

// --- input that does more than to be read ---

for (const orderTasks of [false, true]) {
  test(`input that terminates the pool leaves it usable, orderTasks: ${orderTasks}`, async () => {
    await using pool = new WorkerPool({ nJobs: 1, orderTasks });
    let terminated: Promise<void> | undefined;
    function* input() {
      yield 0;
      yield 1;
      terminated = pool.terminate();
    }
    const call = pool.map((x: number) => x, input(), { chunkSize: 4 });
    const error = await assertStaysUsable(pool, call);
    assertEquals((error as Error).name, "PoolTerminatedError");
    await terminated;
    const more = pool.map((x: number) => x + 1, [1, 2, 3], { chunkSize: 1 });
    assertEquals(await soon(more, "later calls"), [2, 3, 4]);
    await soon(pool.join(), "join()");
  });
}

test("an argument whose getter terminates the pool leaves it usable", async () => {
  transfer(new ArrayBuffer(1));
  await using pool = new WorkerPool({ nJobs: 1 });
  await pool.apply(() => 1);
  const argument = {
    get x() {
      void pool.terminate();
      return 1;
    },
  };
  await assertStaysUsable(pool, pool.map(kind, [argument]));
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const more = pool.map((x: number) => x, numbers);
  assertEquals((await soon(more, "later calls")).length, 1000);
});

// --- slices ---

test("WorkerPool.mapChunks() keeps elements that are missing", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  // deno-lint-ignore no-sparse-arrays
  const sparse = [1, , 3, , 5];
  const result = await pool.mapChunks(
    (slice: (number | undefined)[]) => slice,
    sparse,
    { chunkSize: 2 },
  );
  assertEquals(result.length, 5);
  assertEquals(Object.keys(result), ["0", "2", "4"]);
});

test("WorkerPool.mapChunks() sends of a Buffer the slice alone", async () => {
  await using pool = new WorkerPool({ nJobs: 1 });
  const { Buffer } = await import("node:buffer");
  const sizes = await pool.mapChunks(
    (slice: Uint8Array) => [slice.buffer.byteLength],
    Buffer.alloc(100_000),
    { chunkSize: 10_000 },
  ) as unknown as number[];
  assertEquals(sizes, new Array(10).fill(10_000));
});
