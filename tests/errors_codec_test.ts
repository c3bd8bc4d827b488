import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import fc from "fast-check";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import {
  dataCloneError,
  LockAbandonedError,
  PoolTerminatedError,
  TimeoutError,
  WorkerDiedError,
} from "../src/errors.ts";
import { printableStack } from "../src/wire/error_record.ts";
import { packError, unpackError } from "../src/wire/errors.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Throws a value at nobody and catches what arrives. */
function send(thrown: unknown): Any {
  return unpackError(structuredClone(packError(thrown)));
}

function descriptorOf(value: object, key: string): PropertyDescriptor {
  const descriptor = Object.getOwnPropertyDescriptor(value, key);
  assert(descriptor !== undefined, `no ${key}`);
  return descriptor;
}

class QuotaError extends RangeError {
  override name = "QuotaError";
  readonly limit: number;

  constructor(message: string, limit: number) {
    super(message);
    this.limit = limit;
  }
}

const builtIn = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
];

test("packError() keeps class, message and stack of built-in errors", () => {
  for (const BuiltIn of builtIn) {
    const error = new BuiltIn("boom");
    const received = send(error);
    assertStrictEquals(Object.getPrototypeOf(received), BuiltIn.prototype);
    assertEquals(received.message, "boom");
    assertEquals(received.stack, printableStack(error.stack!));
    assertFalse(Object.hasOwn(received, "name"));
    assertFalse(Object.hasOwn(received, "cause"));
    assertEquals(Object.keys(received), []);
    for (const key of ["message", "stack"]) {
      const { enumerable, writable } = descriptorOf(received, key);
      assertEquals([enumerable, writable], [false, true]);
    }
  }
  assertEquals(send(new Error()).message, "");
});

test("packError() keeps the errors of an AggregateError", () => {
  const inner = [new TypeError("a"), "text", { code: 5 }, () => {}];
  const error = new AggregateError(inner, "all", { cause: 1 });
  const received = send(error);
  assertStrictEquals(received.constructor, AggregateError);
  assertEquals([received.message, received.cause], ["all", 1]);
  assertInstanceOf(received.errors[0], TypeError);
  assertEquals(received.errors.slice(1, 3), ["text", { code: 5 }]);
  assertMatch(received.errors[3].message, /cannot be sent: \[function/);
  assertFalse(descriptorOf(received, "errors").enumerable);
});

test("packError() keeps both errors of a SuppressedError", () => {
  // Node 20 has none: there it is an error of the user's with that name.
  const Suppressed = globalThis.SuppressedError ?? class extends Error {
    error: unknown;
    suppressed: unknown;

    constructor(error: unknown, suppressed: unknown, message: string) {
      super(message);
      this.error = error;
      this.suppressed = suppressed;
    }
  };
  const received = send(
    new Suppressed(new TypeError("a"), new URIError("b"), "both"),
  );
  assertEquals(received instanceof (globalThis.SuppressedError ?? Error), true);
  assertInstanceOf(received.error, TypeError);
  assertInstanceOf(received.suppressed, URIError);
  assertEquals(received.message, "both");
});

test("packError() keeps a DOMException", () => {
  const error = new DOMException("took long", "TimeoutError");
  const received = send(error);
  assertInstanceOf(received, DOMException);
  assertEquals(
    [received.name, received.message, received.code],
    ["TimeoutError", "took long", 23],
  );
  assertEquals(typeof received.stack, "string");
  assertEquals(send(dataCloneError("no", "why")).cause, "why");
  assertInstanceOf(send(dataCloneError("no")), Error);
});

test("packError() keeps nothing that the engine adds when an error is thrown", () => {
  const throwing = [
    () => structuredClone(() => {}),
    () => AbortSignal.abort().throwIfAborted(),
    () => JSON.parse("{"),
    () => (null as Any).property,
    () => {
      throw new Error("x");
    },
  ];
  for (const call of throwing) {
    try {
      call();
    } catch (error) {
      const received = send(error);
      assertEquals(Object.keys(received), []);
      assertEquals(received.message, (error as Error).message);
      assertEquals(received.line, undefined);
    }
  }
});

test("packError() keeps the line and column that a user's class has", () => {
  class Assigned extends Error {
    constructor(message: string) {
      super(message);
      Object.assign(this, { line: 98765, column: 54321 });
    }
  }
  class Fields extends Error {
    line = 98765;
    column = 54321;
  }
  for (const Parsing of [Assigned, Fields]) {
    const received = send(new Parsing("x"));
    assertEquals(Object.keys(received), ["line", "column"]);
    assertEquals([received.line, received.column], [98765, 54321]);
  }
});

test("packError() keeps name and properties of a user's class", () => {
  const received = send(new QuotaError("too many", 5));
  assertStrictEquals(received.constructor, RangeError);
  assertEquals(
    [received.name, received.message, received.limit],
    ["QuotaError", "too many", 5],
  );
  assertFalse(descriptorOf(received, "name").enumerable);
  assertEquals(String(received), "QuotaError: too many");
});

test("packError() keeps the own enumerable properties in order", () => {
  const error: Any = new Error("x");
  const details = { at: new Date(5), list: [1, { a: new Map([[1, 2]]) }] };
  const fields = { zip: 1, code: "E", errno: -2, details, nothing: undefined };
  Object.assign(error, fields);
  Object.defineProperty(error, "hidden", { value: 1, enumerable: false });
  error[Symbol("mark")] = 1;
  const received = send(error);
  assertEquals(Object.keys(received), Object.keys(error));
  assertEquals({ ...received }, fields);
  assertEquals(received.hidden, undefined);
});

test("packError() leaves out the properties that cannot be sent", () => {
  const shared = { kept: 1 };
  const error = Object.assign(new TypeError("partly"), {
    callback: () => {},
    request: { shared, socket: { end: () => {} } },
    url: new URL("http://localhost/"),
    symbol: Symbol("x"),
    pending: Promise.resolve(),
    proxy: new Proxy({ a: 1 }, {}),
    dates: [new Proxy(new Date(), {})],
    shared,
    code: "KEPT",
  });
  Object.defineProperty(error, "trap", {
    enumerable: true,
    get: () => {
      throw new Error("do not look");
    },
  });
  const received = send(error);
  assertEquals(Object.keys(received), ["proxy", "shared", "code"]);
  assertEquals([received.shared, received.code], [{ kept: 1 }, "KEPT"]);
});

test("packError() keeps errors in properties errors", () => {
  const inner = new QuotaError("inner", 1);
  const received = send(
    Object.assign(new Error("outer"), { failed: { list: [inner] }, inner }),
  );
  assertInstanceOf(received.inner, RangeError);
  assertEquals(received.inner.limit, 1);
  assertStrictEquals(received.failed.list[0], received.inner);
});

test("packError() keeps a code that is no own property", () => {
  class Coded extends Error {
    get code(): string {
      return "ERR_CODED";
    }
  }
  const received = send(new Coded("x"));
  assertEquals([received.code, Object.keys(received)], ["ERR_CODED", []]);
});

test("packError() keeps causes of any kind", () => {
  const root = new RangeError("root", { cause: { reason: [42] } });
  const received = send(new Error("top", { cause: root }));
  assertInstanceOf(received.cause, RangeError);
  assertEquals(received.cause.cause, { reason: [42] });
  assertFalse(descriptorOf(received, "cause").enumerable);
  for (const cause of [undefined, null, 0, "text", [1, 2]]) {
    const { value } = descriptorOf(send(new Error("x", { cause })), "cause");
    assertEquals(value, cause);
  }
  const enumerable = Object.assign(new Error("x"), { cause: 1 });
  assertEquals(Object.keys(send(enumerable)), ["cause"]);
  const { cause } = send(new Error("x", { cause: { f: () => {} } }));
  assertEquals(
    cause.message,
    "A value that cannot be sent: [object Object], " +
      "whose property 'f' is a function",
  );
});

test("packError() keeps cycles", () => {
  const outer: Any = new Error("outer");
  outer.cause = new TypeError("inner", { cause: outer });
  outer.self = { outer };
  const received = send(outer);
  assertStrictEquals(received.cause.cause, received);
  assertStrictEquals(received.self.outer, received);
  const all: Any = new AggregateError([], "all");
  all.errors.push(all);
  assertStrictEquals(send(all).errors[0].message, "all");
});

test("packError() cuts a chain of causes that is very long", () => {
  let error = new Error("0");
  for (let i = 1; i < 5000; i++) error = new Error(`${i}`, { cause: error });
  let received = send(error);
  let length = 0;
  for (; received !== undefined; received = received.cause) {
    assertInstanceOf(received, Error);
    assertEquals(received.message, `${4999 - length}`);
    length++;
  }
  assertEquals(length, 17);
});

test("packError() leaves out a property with very much in it", () => {
  const error: Any = new Error("x");
  error.large = Array.from({ length: 50_000 }, (_, i) => ({ i }));
  error.huge = Array.from({ length: 1_000_000 }, () => []);
  error.deep = {};
  for (let i = 0, at = error.deep; i < 100_000; i++) at = at.next = {};
  error.numbers = Array.from({ length: 50_000 }, (_, i) => i);
  error.code = 1;
  const received = send(error);
  assertEquals(received.large.length, 50_000);
  assertFalse("huge" in received);
  assertFalse("deep" in received);
  assertEquals(received.code, 1);
});

test("packError() rebuilds the pool's own errors", () => {
  const received = send(
    new WorkerDiedError("died", { workerId: 3, exitCode: 7, cause: "x" }),
  );
  assertInstanceOf(received, WorkerDiedError);
  assertEquals(
    [received.name, received.message, received.cause],
    ["WorkerDiedError", "died", "x"],
  );
  assertEquals(
    { ...received },
    { code: "ERR_WORKER_DIED", workerId: 3, exitCode: 7 },
  );
  assertFalse(Object.hasOwn(received, "name"));
  const others = [
    new TimeoutError("late", { stage: "task", timeout: 50, workerId: 1 }),
    new PoolTerminatedError("gone"),
    new LockAbandonedError("left", { workerId: 2 }),
    new LockAbandonedError("left"),
  ];
  for (const error of others) {
    const received = send(error);
    assertStrictEquals(received.constructor, error.constructor);
    assertEquals({ ...received }, { ...error });
    assertEquals(received.message, error.message);
  }
});

test("packError() takes errors of another realm for errors", () => {
  const received = send(runInNewContext(`
    const error = new RangeError("far", { cause: new TypeError("inner") });
    Object.assign(error, { code: "E", list: [new Map([[1, 2]])] });
  `));
  assertStrictEquals(received.constructor, RangeError);
  assertInstanceOf(received.cause, TypeError);
  assertEquals([received.message, received.code], ["far", "E"]);
  assertEquals(received.list, [new Map([[1, 2]])]);
});

test("packError() takes what is made like an error for one", () => {
  function Old(this: Any, message: string) {
    this.message = message;
  }
  Old.prototype = Object.create(TypeError.prototype);
  Old.prototype.name = "Old";
  const old = send(new (Old as Any)("old"));
  assertInstanceOf(old, TypeError);
  assertEquals([old.name, old.message, old.stack], ["Old", "old", "Old: old"]);

  const changed = new Error("changed");
  Object.setPrototypeOf(changed, null);
  assertInstanceOf(send(changed), Error);
  assertEquals(send(changed).message, "changed");

  const odd: Any = new Error("odd");
  Object.defineProperty(odd, "stack", { value: 5 });
  Object.defineProperty(odd, "message", { value: {} });
  odd.name = Symbol("x");
  const received = send(odd);
  assertEquals(
    [received.name, received.message, received.stack],
    ["Error", "", "Error"],
  );
});

test("packError() lets values that are no errors arrive as they are", () => {
  const values = [
    undefined,
    null,
    0,
    NaN,
    "",
    "text",
    true,
    12n,
    { a: [1, { b: new Set([2]) }] },
    [1, 2],
    new Map([["key", new Date(5)]]),
    new Uint8Array([1, 2]),
  ];
  for (const value of values) assertEquals(send(value), value);
  assertEquals(send(-0), -0);
  assertInstanceOf(send({ error: new TypeError("x") }).error, TypeError);
});

test("packError() describes thrown values that cannot be sent", () => {
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const detached = new ArrayBuffer(8);
  structuredClone(detached, { transfer: [detached] });
  const values: [value: unknown, message: RegExp][] = [
    [
      function foo() {},
      /^A value that cannot be sent was thrown: \[function foo\]$/,
    ],
    [Symbol("mark"), /thrown: Symbol\(mark\)$/],
    [Promise.resolve(), /thrown: \[object Promise\]$/],
    [
      { a: [() => {}] },
      /thrown: \[object Object\], whose property 'a\[0\]' is a function$/,
    ],
    [revoked, /thrown: /],
    [detached, /thrown: \[object ArrayBuffer\]$/],
    [new WebAssembly.Memory({ initial: 1 }), /thrown: \[object WebAssembly/],
  ];
  for (const [value, message] of values) {
    const received = send(value);
    assertStrictEquals(Object.getPrototypeOf(received), Error.prototype);
    assertMatch(received.message, message);
    assertEquals(received.stack, `Error: ${received.message}`);
  }
});

const traps: ProxyHandler<Any> = {};
for (const trap of Object.getOwnPropertyNames(Reflect)) {
  (traps as Any)[trap] = () => {
    throw new Error("no trespassing");
  };
}

test("packError() never throws, and what it makes can be cloned", () => {
  const hostile = fc.constantFrom<() => unknown>(
    () => new Proxy({}, traps),
    () => new Proxy(new Error("x"), traps),
    () => new Proxy([1, 2], {}),
    () => new Proxy(new Error("through"), {}),
    () => new Proxy(new Map(), {}),
    () => new Proxy(Array.from({ length: 100 }, () => 1), {}),
    () => Object.create(new Proxy({}, traps)),
    () => Object.create(Error.prototype),
    () => Object.create(Map.prototype),
    () => Object.create(Date.prototype),
    () => ({
      get [Symbol.toStringTag](): string {
        throw new Error("no tag");
      },
    }),
    () => ({ [Symbol.toStringTag]: "Error" }),
    () => ({ [Symbol.toStringTag]: "ArrayBuffer" }),
    () =>
      new (class extends Error {
        override get name(): string {
          throw this;
        }
        override get message(): string {
          throw this;
        }
        override get stack(): string {
          throw this;
        }
      })(),
    () => Object.freeze(new Error("frozen")),
    () => new Error("x".repeat(10_000)),
    () => new Intl.NumberFormat("en"),
    () => globalThis,
  );
  // Makes of values, as the values themselves must not be touched.
  type Make = () => unknown;
  const { make } = fc.letrec<{ make: Make }>((tie) => ({
    make: fc.oneof(
      { maxDepth: 4 },
      fc.anything().map((value): Make => () => value),
      hostile,
      fc.array(tie("make"), { maxLength: 3 }).map((makes): Make => () =>
        makes.map((make) => make())
      ),
      fc.tuple(fc.string(), tie("make")).map(([key, make]): Make => () => ({
        [key]: make(),
      })),
      tie("make").map((make): Make => () => {
        const inner = make();
        return Object.assign(new Error("x", { cause: inner }), { inner });
      }),
      tie("make").map((make): Make => () => new AggregateError([make(), 1])),
      tie("make").map((make): Make => () => new Map([[make(), make()]])),
    ),
  }));
  fc.assert(
    fc.property(make, (make) => {
      send(make());
    }),
    { numRuns: 500 },
  );
});

// --- the classes ---

const classes = [
  ["WorkerDiedError", new WorkerDiedError("x", { workerId: 0 })],
  ["TimeoutError", new TimeoutError("x", { stage: "get", timeout: 1 })],
  ["PoolTerminatedError", new PoolTerminatedError("x")],
  ["LockAbandonedError", new LockAbandonedError("x")],
] as const;

test("The pool's errors are told by name, code and instanceof", () => {
  for (const [name, error] of classes) {
    assertInstanceOf(error, Error);
    assertEquals([error.name, error.constructor.name], [name, name]);
    assertEquals(String(error), `${name}: x`);
    assertMatch(error.code, /^ERR_[A-Z_]+$/);
    for (const [other, { constructor }] of classes) {
      assertEquals(error instanceof (constructor as Any), name === other);
    }
  }
  assertFalse((null as unknown) instanceof TimeoutError);
  assertFalse(("x" as unknown) instanceof TimeoutError);
  assertFalse(new DOMException("x", "TimeoutError") instanceof TimeoutError);
  const cause = new Error("why");
  const error = new PoolTerminatedError("x", { cause });
  assertStrictEquals(error.cause, cause);
});

test("The pool's errors are instances of the classes of another copy", async () => {
  const folder = await mkdtemp(join(tmpdir(), "polypool-"));
  const file = join(folder, "errors.mts");
  await copyFile(new URL("../src/errors.ts", import.meta.url), file);
  const copy: typeof import("../src/errors.ts") = await import(
    pathToFileURL(file).href
  );
  await rm(folder, { recursive: true });
  assert(copy.TimeoutError !== TimeoutError);
  const theirs = new copy.TimeoutError("x", { stage: "task", timeout: 1 });
  assertInstanceOf(theirs, TimeoutError);
  assertFalse(theirs instanceof WorkerDiedError);
  assertInstanceOf(send(theirs), TimeoutError);
  class Stricter extends TimeoutError {}
  assertFalse(theirs instanceof Stricter);
  const stricter = new Stricter("x", { stage: "task", timeout: 1 });
  assertInstanceOf(stricter, Stricter);
  assertInstanceOf(stricter, copy.TimeoutError);
  assertStrictEquals(send(stricter).constructor, TimeoutError);
});

test("dataCloneError() makes a DOMException", () => {
  const error = dataCloneError("Cannot send it");
  assertInstanceOf(error, DOMException);
  assertEquals([error.name, error.message], [
    "DataCloneError",
    "Cannot send it",
  ]);
  assertFalse(Object.hasOwn(error, "cause"));
});
