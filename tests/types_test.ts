// What must and what must not type-check. `tsc` and `deno test` are the test:
// a line under `@ts-expect-error` that has no error is one.
// deno-lint-ignore-file no-explicit-any
import { assertEquals } from "@std/assert";
import { test } from "node:test";
import {
  importTasks,
  makeSingleArguments,
  type Shared,
  sharedArray,
  task,
  type TypedArray,
  type TypedArrayConstructor,
  WorkerPool,
  type WorkerPoolOptions,
} from "../mod.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

/** Fails to compile unless the types are equal. */
function same<A, B>(_equal: Equal<A, B>): void {}

// Never called: only its types count.
export async function plainPool(pool: WorkerPool): Promise<void> {
  const squares = await pool.map((x: number) => x * x, [1, 2, 3]);
  same<typeof squares, number[]>(true);
  const inferred = await pool.map((x) => `${x * 2}`, [1, 2, 3]);
  same<typeof inferred, string[]>(true);
  const asynchronous = await pool.map(
    (x: number) => Promise.resolve(x > 1),
    new Set([1, 2]),
  );
  same<typeof asynchronous, boolean[]>(true);
  // Array elements are spread, as tuples where they are literals.
  const spread = await pool.map((x: number, s: string) => x + s.length, [
    [1, "a"],
    [2, "b"],
  ]);
  same<typeof spread, number[]>(true);
  await pool.map((a: number, b: number) => a + b, [[1, 2], [3, 4]]);
  await pool.map((i: number, s: string) => s + i, ["a", "b"].entries());
  await pool.map((i, s) => s + i, ["a", "b"].entries());
  await pool.map((x: number) => x, new Float64Array(3));
  await pool.map(() => 1, [1, 2]);
  await pool.map((x: { a: number }) => x.a, [{ a: 1 }]);
  await pool.map((x) => x.a.toFixed(), [{ a: 1 }]);
  await pool.map((x: string | undefined) => x, ["a", undefined]);
  const lazy = pool.imap(
    (x: number) => x,
    (function* () {
      yield 1;
    })(),
  );
  same<typeof lazy, AsyncIterableIterator<number> & AsyncDisposable>(true);
  await pool.map(
    (x: string) => x,
    (async function* () {
      yield "a";
    })(),
  );

  // Where nothing is known of the elements, any task will do.
  await pool.map((x: number) => x, [1] as any[]);
  await pool.map((x: number) => x, JSON.parse("[1]"));
  await pool.map((x: number) => x, [1] as unknown[]);
  await pool.map(() => 1, Array(3).fill(0));

  // @ts-expect-error: the elements are numbers
  await pool.map((x: string) => x, [1, 2]);
  // @ts-expect-error: an element has one argument
  await pool.map((x: number, y: number) => x + y, [1, 2]);
  // @ts-expect-error: the second argument is a string
  await pool.map((x: number, y: number) => x + y, [[1, "a"]]);
  // @ts-expect-error: not iterable
  await pool.map((x: number) => x, 3);
  // @ts-expect-error: there is no worker ID
  await pool.map((id: number, x: string) => id + x, ["a"]);
  // @ts-expect-error: unknown option
  await pool.map((x: number) => x, [1], { chunksize: 3 });
  // @ts-expect-error: neither "throw" nor "settle"
  await pool.map((x: number) => x, [1], { onError: "ignore" });

  const settled = await pool.map((x: number) => x, [1], { onError: "settle" });
  same<typeof settled, PromiseSettledResult<number>[]>(true);

  const one = await pool.apply((x: number, s: string) => x + s, [1, "a"]);
  same<typeof one, string>(true);
  const none = await pool.apply(() => 7);
  same<typeof none, number>(true);
  const handle = pool.applyAsync(async (x: number) => await x, [1]);
  same<Awaited<typeof handle>, number>(true);
  await handle.catch((error) => error.name);
  // @ts-expect-error: the second argument is a number
  await pool.apply((x: number, s: string) => x + s, [1, 2]);
  // @ts-expect-error: an argument is missing
  await pool.apply((x: number) => x);

  const doubled = await pool.mapChunks(
    (xs: Float64Array) => xs.map((x) => x * 2),
    new Float64Array(4),
  );
  const typed: Float64Array = doubled;
  void typed;
  const parts = await pool.mapChunks((xs: number[]) => xs, [1, 2], {
    concatenateOutput: false,
  });
  same<typeof parts, number[][]>(true);
  const numbers = new Float64Array(4);
  const texts = await pool.mapChunks(
    async (xs) => await Promise.resolve([...xs].map(String)),
    numbers,
  );
  same<typeof texts, string[]>(true);
  const sum = (xs: Float64Array): number => xs.reduce((a, b) => a + b, 0);
  // @ts-expect-error: numbers cannot be joined
  await pool.mapChunks(sum, numbers);
  // @ts-expect-error: numbers cannot be joined
  await pool.mapChunks((xs) => xs.length, numbers, { nSplits: 3 });
  // @ts-expect-error: numbers cannot be joined
  await pool.mapChunks((xs) => xs.length, [1], { concatenateOutput: true });
  // @ts-expect-error: promises of numbers cannot be joined
  await pool.mapChunks((xs) => Promise.resolve(xs.length), [1, 2]);
  const sums = await pool.mapChunks(sum, numbers, { concatenateOutput: false });
  same<typeof sums, number[]>(true);
  const lengths = await pool.mapChunks((xs) => xs.length, numbers, {
    onError: "settle",
  });
  same<typeof lengths, PromiseSettledResult<number>[]>(true);
  // @ts-expect-error: the slice is an array of numbers
  await pool.mapChunks((xs: string[]) => xs, [1, 2]);
}

export async function unions(pool: WorkerPool): Promise<void> {
  // Elements that may be arrays or not: only the arrays are spread.
  const mixed: (number | [number, number])[] = [1, [2, 3]];
  const sums = await pool.map((a: number, b?: number) => a + (b ?? 0), mixed);
  same<typeof sums, number[]>(true);
  const rest = await pool.map((...xs) => Math.max(...xs), mixed);
  same<typeof rest, number[]>(true);
  await pool.map(() => 1, mixed);
  const first: (1 | "a" | null)[] = await pool.map(
    (x) => x,
    [null, "a", [1]] as const,
  );
  void first;
  // @ts-expect-error: the pair is spread
  await pool.map((x: number | [number, number]) => x, mixed);
  // @ts-expect-error: the lists are spread
  await pool.map((x?: string[]) => x, [["a"], undefined]);
  type Json = string | number | Json[];
  const documents: Json[] = [1, [2, 3], "x"];
  // @ts-expect-error: the lists are spread
  await pool.map((x) => JSON.stringify(x), documents);
  // @ts-expect-error: the lists are spread
  await pool.map((x: Json) => JSON.stringify(x), documents);
  const texts = await pool.map(
    (x) => JSON.stringify(x),
    makeSingleArguments(documents),
  );
  same<typeof texts, string[]>(true);
  // No element is an array: the type of the argument is the union.
  await pool.map((x: string | number) => x, [1, "a"]);
  const flags = await pool.map((x) => x, [true, false]);
  same<typeof flags, boolean[]>(true);
  const names = await pool.map((x) => x, ["a", null] as ("a" | "b" | null)[]);
  same<typeof names, ("a" | "b" | null)[]>(true);
  await pool.map((x: number) => x, []);
}

export async function generics<T, R>(
  pool: WorkerPool,
  elements: readonly T[],
  fn: (x: T) => R,
): Promise<void> {
  const args = makeSingleArguments(elements);
  const mapped = await pool.map(fn, args);
  same<typeof mapped, Awaited<R>[]>(true);
  const unordered: Awaited<R>[] = await pool.mapUnordered(fn, args);
  const wrapper = (): Promise<Awaited<R>[]> => pool.map(fn, args);
  const lazy = (): AsyncIterableIterator<Awaited<R>> => pool.imap(fn, args);
  const any = (): AsyncIterable<Awaited<R>> => pool.imapUnordered(fn, args);
  const settled = (): Promise<PromiseSettledResult<Awaited<R>>[]> =>
    pool.map(fn, args, { onError: "settle" });
  // @ts-expect-error: the results are settled
  const plain = (): Promise<R[]> => pool.map(fn, args, { onError: "settle" });
  void [unordered, wrapper, lazy, any, settled, plain];
}

export async function leadingArguments(): Promise<void> {
  const all = new WorkerPool({
    passWorkerId: true,
    sharedObjects: { factor: 3 },
    useWorkerState: true,
    workerInit: (_id: number, _shared: { factor: number }, state) => {
      state.count = 0;
    },
  });
  await all.map(
    (
      id: number,
      shared: { factor: number },
      state: { n?: number },
      x: number,
    ) => id + shared.factor * x + (state.n ?? 0),
    [1],
  );
  await all.map((id, shared, _state, x) => id + shared.factor * x, [1]);
  // @ts-expect-error: shared objects come second
  await all.map((_id: number, _shared: string, s: string) => s, ["a"]);
  // @ts-expect-error: the worker ID is a number
  await all.map((id: string) => id, ["a"]);

  const shared = new WorkerPool({ sharedObjects: sharedArray(Int32Array, 3) });
  await shared.map((numbers, x: number) => numbers[x], [0, 1]);
  await shared.map((numbers: Int32Array, x: number) => numbers[x], [0, 1]);
  // @ts-expect-error: the shared array comes first
  await shared.map((x: number) => x, [0, 1]);

  const none = new WorkerPool({ sharedObjects: undefined, nJobs: 1 });
  await none.map((x: number) => x, [1]);
  // `null` is a value like any other.
  await new WorkerPool({ sharedObjects: null })
    .map((nothing: null, x: number) => [nothing, x], [1]);

  // Setters give the pool its new type.
  const changed = new WorkerPool().passOnWorkerId().setSharedObjects("s");
  await changed.map((id: number, s: string, x: number) => id + s + x, [1]);
  // @ts-expect-error: the worker ID comes first
  await changed.map((s: string, x: number) => s + x, [1]);
  await changed.passOnWorkerId(false).setSharedObjects()
    .map((x: number) => x, [1]);
  await changed.setUseWorkerState().setKeepAlive().setOrderTasks()
    .map((_id, _s, state: { n: number }, x: number) => state.n + x, [1]);
  // @ts-expect-error: not a boolean
  changed.setKeepAlive("yes");
  // @ts-expect-error: not a number
  new WorkerPool({ nJobs: "2" });
  // @ts-expect-error: unknown start method
  new WorkerPool({ startMethod: "threads" });
  // @ts-expect-error: unknown option
  new WorkerPool({ jobs: 2 });
}

export function sharedArrays<A extends TypedArray>(
  kind: TypedArrayConstructor<A>,
): Shared<A> {
  const floats = sharedArray(Float32Array, 3);
  same<typeof floats, Float32Array<SharedArrayBuffer>>(true);
  const plain: Float32Array = floats;
  const buffer: SharedArrayBuffer = floats.buffer;
  const view: Float32Array = floats.subarray(1);
  const named: Shared<Float32Array> = floats;
  // @ts-expect-error: the buffer is shared
  const local: Float32Array<ArrayBuffer> = floats;
  // @ts-expect-error: a buffer is no string
  const text: string = floats.buffer;
  // @ts-expect-error: the kind is another
  const other: Float64Array = floats;
  const big = sharedArray(BigInt64Array, [1n]);
  const element: bigint | undefined = big[0];
  // @ts-expect-error: the elements are bigints
  sharedArray(BigInt64Array, [1]);
  void [plain, buffer, view, named, local, text, other, element];
  return sharedArray(kind, floats.length);
}

export async function closures(pool: WorkerPool): Promise<void> {
  interface Scale {
    factor: number;
  }
  const scale: Scale = { factor: 2 };
  const add = (a: number, b: number): number => a + b;
  await pool.map((x: number) => x, [1], { closure: { scale, add, n: 1 } });
  await pool.map((x: number) => x, [1], { closure: scale });
  await pool.map((x: number) => x, [1], { closure: {} });
  await pool.map((x: number) => x, [1], { closure: undefined });
  await pool.mapChunks((xs: number[]) => xs, [1], { closure: { bind: add } });
  await pool.apply((x: number) => x, [1], { closure: scale as object });
  pool.applyAsync((x: number) => x, [1], { closure: { length: 1 } });
  // @ts-expect-error: a function
  await pool.map((x: number) => x, [1], { closure: () => 1 });
  // @ts-expect-error: a function
  await pool.apply((x: number) => x, [1], { closure: add });
  // @ts-expect-error: a class
  await pool.map((x: number) => x, [1], { closure: Date });
  // @ts-expect-error: an array
  await pool.map((x: number) => x, [1], { closure: [1] });
  // @ts-expect-error: a map
  pool.imap((x: number) => x, [1], { closure: new Map([["a", 1]]) });
  // @ts-expect-error: a number
  await pool.map((x: number) => x, [1], { closure: 1 });
  // @ts-expect-error: a string
  pool.applyAsync((x: number) => x, [1], { closure: "factor" });
  // @ts-expect-error: nothing
  await pool.map((x: number) => x, [1], { closure: null });
}

export async function sharedOrNot(
  config?: { factor: number },
): Promise<void> {
  const scale = (shared: { factor: number }, x: number): number =>
    shared.factor * x;
  const pools = [
    new WorkerPool({ sharedObjects: config, nJobs: 2 }),
    new WorkerPool().setSharedObjects(config),
  ] as const;
  // @ts-expect-error: the shared objects may be missing
  await pools[0].map(scale, [1]);
  // @ts-expect-error: the shared objects may be missing
  await pools[1].map(scale, [1]);
  // @ts-expect-error: the shared objects may be missing
  await pools[0].map((shared, x: number) => shared.factor * x, [1]);
  // @ts-expect-error: the shared objects may be missing
  await pools[1].apply(scale, [1]);
  // @ts-expect-error: the shared objects may be missing
  await pools[0].mapChunks((_shared, xs: number[]) => xs, [1]);
  await pools[0].map((...args) => args.length, [1]);
  await pools[1].setSharedObjects(config ?? { factor: 1 }).map(scale, [1]);
  await pools[1].setSharedObjects().map((x: number) => x, [1]);
  await pools[1].setSharedObjects(undefined).map((x: number) => x, [1]);
  if (config) {
    await new WorkerPool({ sharedObjects: config }).map(scale, [1]);
    await new WorkerPool().setSharedObjects(config).map(scale, [1]);
  }
  // A union is passed like any other type.
  const either = new WorkerPool({ sharedObjects: config ?? "none" });
  await either.map((_shared: object | string, x: number) => x, [1]);
  const anything: any = config;
  await new WorkerPool({ sharedObjects: anything }).map(scale, [1]);
  const options: WorkerPoolOptions = { nJobs: 1 };
  await new WorkerPool(options).map((x: number) => x, [1]);
  const given: WorkerPoolOptions<{ factor: number }> = {};
  await new WorkerPool(given).map((...args) => args.length, [1]);
}

export async function references(pool: WorkerPool): Promise<void> {
  const square = task((x: number) => x * x);
  same<typeof square, (x: number) => number>(true);
  await pool.map(square, [1]);
  // @ts-expect-error: the elements must be numbers
  await pool.map(square, ["a"]);
  const tasks = importTasks<{
    cube: (x: number) => number;
    constant: number;
  }>(new URL("file:///tasks.ts"));
  const cubes = await pool.map(tasks.cube, [1]);
  same<typeof cubes, number[]>(true);
  // @ts-expect-error: not a function
  void tasks.constant;
  // @ts-expect-error: no such export
  void tasks.square;
}

test("WorkerPool types follow from options, data and task", () => {
  assertEquals(typeof plainPool, "function");
});
