import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { test } from "node:test";
import { chunkTasks } from "../mod.ts";
import { WorkerPool } from "./support/pool.ts";
import { soon, startMethods } from "./support/waiting.ts";

/** What the calls may be asked for. */
const options = fc.record({
  iterableLen: fc.integer({ min: 0, max: 80 }),
  chunkSize: fc.oneof(
    fc.integer({ min: 1, max: 50 }),
    fc.double({ min: 1, max: 9, noNaN: true }),
  ),
  nSplits: fc.integer({ min: 1, max: 100 }),
  maxTasksActive: fc.integer({ min: 1, max: 40 }),
  concurrency: fc.integer({ min: 1, max: 6 }),
}, { requiredKeys: [] });

const value = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.constantFrom(undefined, null, NaN, -0, true, 5n),
  fc.record(
    { a: fc.integer(), b: fc.array(fc.string(), { maxLength: 3 }) },
    { noNullPrototype: true },
  ),
  fc.array(fc.integer(), { maxLength: 3 }),
);

type Elements = readonly unknown[];

/** All ways in which elements can be handed in. */
const forms: Record<
  string,
  (elements: Elements) => Iterable<unknown> | AsyncIterable<unknown>
> = {
  array: (elements) => elements,
  iterator: (elements) => elements.values(),
  generator: function* (elements) {
    yield* elements;
  },
  asynchronous: async function* (elements) {
    for (const element of elements) {
      yield await Promise.resolve([element]).then(([e]) => e);
    }
  },
  slow: async function* (elements) {
    for (const [i, element] of elements.entries()) {
      if (i % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 1));
      yield element;
    }
  },
};
const form = fc.constantFrom(...Object.keys(forms));

/** What a task makes of an element. */
const task = (...args: unknown[]) => [args.length, ...args];

function expected(elements: Elements, iterableLen = Infinity): unknown[] {
  return elements.slice(0, iterableLen).map((element) =>
    Array.isArray(element) ? task(...element) : task(element)
  );
}

/** For the comparison of results without order. */
function sorted(results: unknown[]): string[] {
  return results.map((result) =>
    JSON.stringify(
      result,
      (_, x) =>
        typeof x === "bigint"
          ? `${x}n`
          : x === undefined
          ? "undefined"
          : Object.is(x, -0)
          ? "-0"
          : x,
    )
  ).sort();
}

for (const startMethod of startMethods) {
  test(`Every verb gives what a serial loop gives, for any input and options [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { maxLength: 70 }),
        form,
        options,
        fc.boolean(),
        async (elements, form, options, orderTasks) => {
          pool.setOrderTasks(orderTasks);
          const wanted = expected(elements, options.iterableLen);
          const input = () => forms[form]!(elements) as Iterable<never>;
          const run = task as never;
          const mapped: unknown[] = await soon(
            pool.map(run, input(), options),
            "map",
          );
          assertEquals(mapped, wanted);
          const unordered: unknown[] = await soon(
            pool.mapUnordered(run, input(), options),
            "mapUnordered",
          );
          assertEquals(sorted(unordered), sorted(wanted));
          for (const verb of ["imap", "imapUnordered"] as const) {
            const results: unknown[] = [];
            const iterator = pool[verb](run, input(), options);
            for (;;) {
              const step = await soon(iterator.next(), verb);
              if (step.done) break;
              results.push(step.value);
            }
            if (verb === "imap") assertEquals(results, wanted);
            else assertEquals(sorted(results), sorted(wanted));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test(`No verb reads further than maxTasksActive allows [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 12 }),
        options,
        fc.constantFrom("imap", "imapUnordered"),
        fc.boolean(),
        fc.integer({ min: 1, max: 70 }),
        async (count, maxTasksActive, others, verb, isAsync, leaveAt) => {
          const { iterableLen, ...rest } = others;
          let read = 0;
          let asked = 0;
          let closed = 0;
          function* numbers() {
            try {
              while (read < count) {
                read++;
                assert(
                  read <= asked + maxTasksActive,
                  `${read} read when ${asked} were asked for`,
                );
                yield read;
              }
            } finally {
              closed++;
            }
          }
          async function* numbersLater() {
            for (const x of numbers()) yield await x;
          }
          const results = pool[verb as "imap"](
            (x: number) => x,
            isAsync ? numbersLater() : numbers(),
            {
              ...rest,
              maxTasksActive,
              ...iterableLen !== undefined && { iterableLen },
            },
          );
          let taken = 0;
          while (taken < leaveAt) {
            asked++;
            const step = await soon(results.next(), `result ${taken}`);
            if (step.done) break;
            taken++;
          }
          await soon(results.return!(), "return()");
          const total = Math.min(count, iterableLen ?? Infinity);
          assertEquals(taken, Math.min(total, leaveAt));
          assert(read <= taken + maxTasksActive);
          if (isAsync) await new Promise((resolve) => setTimeout(resolve, 0));
          assertEquals(closed, read > 0 ? 1 : 0, "closed or ended");
        },
      ),
      { numRuns: 60 },
    );
  });

  test(`Outcomes stay with their tasks, whatever fails [${startMethod}]`, async () => {
    await using pool = new WorkerPool({ nJobs: 2, startMethod });
    const picky = (fails: boolean, x: number) => {
      if (fails) throw x;
      return x;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 60 }),
        options,
        async (fails, options) => {
          const elements = fails.map((fail, i): [boolean, number] => [fail, i]);
          const outcomes = await soon(
            pool.map(picky, elements, { ...options, onError: "settle" }),
            "the outcomes",
          );
          assertEquals(
            outcomes as unknown[],
            elements.slice(0, options.iterableLen).map(([fail, x]) =>
              fail
                ? { status: "rejected", reason: x }
                : { status: "fulfilled", value: x }
            ),
          );
          const first = elements.slice(0, options.iterableLen)
            .filter(([fail]) => fail).map(([, x]) => x);
          const thrown = await soon(
            pool.map(picky, elements, options).then(() => [], (x) => [x]),
            "the call",
          );
          if (first.length === 0) assertEquals(thrown, []);
          else assert(first.includes(thrown[0] as number));
        },
      ),
      { numRuns: 40 },
    );
  });
}

test("chunkTasks() keeps every element, in order, in chunks of the right size", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 500 }),
      fc.oneof(
        fc.integer({ min: 1, max: 600 }),
        fc.double({ min: 1, max: 50, noNaN: true }),
      ),
      fc.integer({ min: 1, max: 700 }),
      fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }),
      (count, chunkSize, nSplits, iterableLen) => {
        const elements = Array.from({ length: count }, (_, i) => i);
        const length = { ...iterableLen !== undefined && { iterableLen } };
        const kept = elements.slice(0, iterableLen);
        for (const options of [{ chunkSize }, { nSplits }]) {
          const chunks = [...chunkTasks(elements, { ...options, ...length })];
          assertEquals(chunks.flat(), kept);
          const size = "chunkSize" in options
            ? chunkSize
            : (iterableLen ?? count) / nSplits;
          // The carry never lets the sum run away from the multiple.
          let sum = 0;
          chunks.forEach((chunk, i) => {
            assert(chunk.length > 0);
            sum += chunk.length;
            if (i === chunks.length - 1 || size < 1) return;
            assert(sum >= size * (i + 1) - 1e-6, `${sum} after ${i + 1}`);
            assert(sum < size * (i + 1) + 1 + 1e-6, `${sum} after ${i + 1}`);
          });
          if ("nSplits" in options) assert(chunks.length <= nSplits);
        }
      },
    ),
    { numRuns: 500 },
  );
});
