import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { transfer } from "../mod.ts";
import fc from "fast-check";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { giveNumbers, takeNumbers } from "../src/wire/number_buffers.ts";
import { packList, unpackList } from "../src/wire/list.ts";
import { refusalsOf } from "../src/wire/refusals.ts";
import {
  explainCloneFailure,
  isPlain,
  pack,
  unpack,
} from "../src/wire/values.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

/** Sends a value to nobody and takes what arrives. */
function send<T>(value: T): T {
  return unpack(structuredClone(pack(value, "the value"))) as T;
}

function sendList(list: ArrayLike<unknown>, isFresh?: boolean): Any {
  const { payload, transfer } = packList(list, isFresh);
  return unpackList(structuredClone(payload, { transfer }));
}

/** What keeps a value from being sent. */
function refusalOf(value: unknown): string {
  const error = assertThrows(() => pack(value, "it"), DOMException);
  assertEquals(error.name, "DataCloneError");
  assertEquals(explainCloneFailure(value, "it").message, error.message);
  return error.message;
}

function detachedBuffer(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function link(depth: number, end: unknown): unknown {
  let list = end;
  for (let i = 0; i < depth; i++) list = { next: list };
  return list;
}

class Point {
  x: number;
  #secret = 1;

  constructor(x: number) {
    this.x = x;
  }

  get secret(): number {
    return this.#secret;
  }
}

class NamedMap extends Map<unknown, unknown> {}

class CallsItselfMap {
  size = 1;
  readonly [Symbol.toStringTag] = "Map";
}

class Blobby {
  url = "not one of the runtime's";
}

const cycle: Record<string, unknown> = { name: "cycle" };
cycle["self"] = { inner: [cycle] };

const plain: [name: string, value: unknown][] = [
  ["undefined", undefined],
  ["null", null],
  ["a boolean", true],
  ["-0", -0],
  ["NaN", NaN],
  ["a bigint", 2n ** 70n],
  ["a string with a lone surrogate", "\ud800"],
  ["an object", { a: 1, b: { c: "d" } }],
  [
    "an object without a prototype",
    Object.assign(Object.create(null), { a: 1 }),
  ],
  ["an object with a __proto__ key", JSON.parse(`{"__proto__":{"x":1}}`)],
  ["an object with a getter", {
    get a() {
      return 5;
    },
  }],
  ["an array", [1, "a", null, [undefined, true]]],
  ["an empty array", []],
  // deno-lint-ignore no-sparse-arrays
  ["an array with holes", [1, , 3]],
  ["an array with properties", Object.assign([1], { key: "value" })],
  ["a match", /(?<letter>b)/.exec("abc")],
  ["a Map", new Map<unknown, unknown>([[{ a: 1 }, new Map([[1, 2]])]])],
  ["a Set", new Set([1, { a: 1 }])],
  ["a Date", new Date(5)],
  ["a RegExp", /a+/giu],
  ["a boxed number", Object(1)],
  ["a boxed string", Object("ab")],
  ["a boxed boolean", Object(false)],
  ["a boxed bigint", Object(1n)],
  ["an ArrayBuffer", new Uint8Array([1, 2]).buffer],
  ["a Uint8Array", new Uint8Array([1, 2])],
  ["a Float64Array", new Float64Array([-0, NaN, 1.5])],
  ["a BigInt64Array", new BigInt64Array([1n, -1n])],
  ["a DataView", new DataView(new ArrayBuffer(8), 2, 4)],
  ["a cycle", cycle],
  ["a list that is deep", link(500, "end")],
];

for (const [name, value] of plain) {
  test(`isPlain() is true for ${name}, which pack() keeps as it is`, () => {
    assertEquals(isPlain(value), true);
    const packed = pack(value, "the value");
    assertStrictEquals(packed.value, value);
    assertEquals(packed.records, undefined);
    assertEquals(send(value), structuredClone(value));
    // Beside an error, what is packed is a copy.
    const beside = send({ value, error: new Error("beside") });
    assertEquals(beside.value, structuredClone(value));
    assertEquals(beside.error.message, "beside");
  });
}

test("pack() lets class instances arrive as plain objects", () => {
  for (const value of [[new Point(1)], [new Point(1), new Error("beside")]]) {
    const [point] = send(value) as [Point, ...unknown[]];
    assertEquals(Object.getPrototypeOf(point), Object.prototype);
    assertEquals(Object.entries(point), [["x", 1]]);
  }
  assert(isPlain(new Point(1)));
  assert(isPlain(new Blobby()));
});

test("pack() lets subclasses of Map and what calls itself Map arrive as what they are", () => {
  const map = send([new NamedMap([[1, 2]]), new Error("beside")])[0];
  assertInstanceOf(map, Map);
  assertEquals([...map], [[1, 2]]);
  assert(isPlain(new CallsItselfMap()));
  const named = send([new CallsItselfMap(), new Error("beside")])[0] as Any;
  assertEquals(named.size, 1);
});

test("pack() shares memory that is shared", () => {
  const numbers = new Int32Array(new SharedArrayBuffer(8));
  for (const value of [{ numbers }, { numbers, error: new Error("beside") }]) {
    assertEquals(isPlain(value), !("error" in value));
    const received = send(value).numbers;
    received[0]!++;
  }
  assertEquals([...numbers], [2, 0]);
  const memory = new WebAssembly.Memory({
    initial: 1,
    maximum: 1,
    shared: true,
  });
  assertInstanceOf(send([memory])[0]!.buffer, SharedArrayBuffer);
});

test("pack() refuses what is nested too deeply to be read on any runtime", () => {
  for (const end of [1, new Error("has a record")]) {
    // The innermost counts if it is an object.
    const depth = typeof end === "object" ? 1500 : 1501;
    assertEquals(typeof send(link(depth, end)), "object");
    assertMatch(
      refusalOf(link(depth + 1, end)),
      /^Cannot send it as it is nes/,
    );
    assertThrows(
      () => pack([1, link(depth, end)], (index) => `argument ${index}`),
      DOMException,
      "Cannot send argument 1 as it is nested too deeply",
    );
    let map = end as unknown;
    for (let i = 0; i < depth; i++) map = new Map([[i, new Set([map])]]);
    assertMatch(refusalOf(map), /^Cannot send it as it is nested too deeply$/);
  }
});

test("pack() looks at the properties that arrays have beside their elements", () => {
  for (const length of [0, 1, 10, 63]) {
    const error = new RangeError("beside");
    const array = Object.assign(Array<number>(length).fill(1), { error });
    assertEquals(isPlain(array), false);
    const received = send([array])[0]!;
    assertEquals(received.length, length);
    assertInstanceOf(received.error, RangeError);
    const call = Object.assign(Array(length).fill(1), { call() {} });
    assertMatch(refusalOf(call), /property 'call' is a function$/);
  }
});

test("pack() keeps the properties of large arrays that it copies", () => {
  const array = Object.assign(Array<number>(100).fill(1), { name: "ones" });
  const received = send({ array, error: new Error("is why") });
  assertEquals(received.array, array);
});

test("pack() takes nothing for a view because of its tag", () => {
  class Tagged {
    error = new RangeError("inside");
    readonly [Symbol.toStringTag] = "NDArray";
  }
  assertEquals(isPlain(new Tagged()), false);
  assertInstanceOf(send(new Tagged()).error, RangeError);
});

test("isPlain() sees what another realm has made", () => {
  const realm = (code: string) => runInNewContext(`(${code})`);
  const values = "{ a: [1, new Map([[1, new Date(5)]]), new Set([/a/]) ] }";
  assertEquals(isPlain(realm(values)), true);
  assertEquals(isPlain(realm("[{ error: new RangeError('x') }]")), false);
  const { error, map } = send(
    realm(`{ map: new Map([[1, [2]]]), error: new RangeError("far") }`),
  );
  assertInstanceOf(error, RangeError);
  assertEquals([...map], [[1, [2]]]);
});

/** Not all runtimes have it. */
const { Temporal } = globalThis as { Temporal?: Any };
const temporal: [value: unknown, refusal: RegExp][] = Temporal
  ? [[Temporal.PlainDate.from("2020-02-02"), /a Temporal.PlainDate: send its/]]
  : [];

const platform: [value: unknown, refusal: RegExp][] = [
  [new URL("http://localhost/"), /a URL: send its href$/],
  [new URLSearchParams("a=1"), /a URLSearchParams: /],
  [new Blob(["x"]), /a Blob: /],
  [new File(["x"], "name"), /a (?:File|Blob): /],
  [new Headers(), /a Headers: /],
  [new FormData(), /a FormData: /],
  [new Request("http://localhost/"), /a Request: /],
  [new Response("x"), /a Response: /],
  [new ReadableStream(), /a ReadableStream$/],
  [new WritableStream(), /a WritableStream$/],
  [new TransformStream(), /a TransformStream$/],
  [new CompressionStream("gzip"), /a CompressionStream$/],
  [new TextDecoderStream(), /a TextDecoderStream$/],
  [new AbortController(), /an AbortController$/],
  [new AbortController().signal, /an AbortSignal$/],
  [new EventTarget(), /an EventTarget$/],
  [new (class Emitter extends EventTarget {})(), /an EventTarget$/],
  [new Event("x"), /an Event$/],
  [new TextEncoder(), /a TextEncoder$/],
  [Promise.resolve(1), /a Promise: await it first$/],
  [new WeakMap(), /a WeakMap$/],
  [new WeakSet(), /a WeakSet$/],
  [new WeakRef({}), /a WeakRef$/],
  [new FinalizationRegistry(() => {}), /a FinalizationRegistry$/],
  [(function* () {})(), /a Generator$/],
  [(async function* () {})(), /an AsyncGenerator$/],
  [[1].values(), /an Array Iterator$|an Iterator$/],
  [new Map().keys(), /a Map Iterator$|an Iterator$/],
  [new Intl.NumberFormat("en"), /an Intl\.NumberFormat$/],
  [
    new WebAssembly.Table({ initial: 1, element: "anyfunc" }),
    /a WebAssembly\.Table$/,
  ],
  ...temporal,
  [Object(Symbol("boxed")), /a Symbol$/],
  [() => {}, /a function$/],
  [class {}, /a function$/],
  [Symbol("x"), /a symbol$/],
];

for (const [value, refusal] of platform) {
  test(`pack() refuses ${refusal.source.replaceAll(/[\\$]|: .*/g, "")} on every runtime`, () => {
    assertEquals(isPlain(value), false);
    assertEquals(isPlain([{ value }]), false);
    assertMatch(refusalOf(value), refusal);
    assertMatch(refusalOf(value), /^Cannot send it as it is /);
    assertMatch(refusalOf([{ value }]), /as its property '\[0\]\.value' is /);
  });
}

test("pack() refuses a MessagePort on every runtime", () => {
  const { port1 } = new MessageChannel();
  try {
    assertMatch(refusalOf({ port1 }), /'port1' is a MessagePort$/);
  } finally {
    port1.close();
  }
});

test("pack() names what is packed and the way to the culprit", () => {
  const call = () => {};
  const ways: [value: unknown, way: string][] = [
    [{ a: { list: [0, 1, call] } }, "a.list[2]"],
    [[[call]], "[0][0]"],
    [new Map([["key", { call }]]), "values()[0].call"],
    [{ map: new Map([[{ call }, 1]]) }, "map.keys()[0].call"],
    [{ set: new Set([1, [call]]) }, "set.values()[1][0]"],
    [{ "a b": { "0": { ü: call } } }, `["a b"]["0"].ü`],
  ];
  for (const [value, way] of ways) {
    const error = assertThrows(() => pack(value, "argument 1 to a worker"));
    assertEquals(
      (error as Error).message,
      `Cannot send argument 1 to a worker as its property '${way}' is a function`,
    );
  }
  const error = assertThrows(() => pack(Symbol(), "the result"), DOMException);
  assertEquals(error.message, "Cannot send the result as it is a symbol");
  assertEquals(error.code, 25);
});

test("pack() takes names for the elements of a list", () => {
  const what = (index: number) => `argument ${index}`;
  const messageOf = (value: unknown) =>
    (assertThrows(() => pack(value, what)) as Error).message;
  assertEquals(
    messageOf([1, { a: () => {} }]),
    "Cannot send argument 1 as its property 'a' is a function",
  );
  assertEquals(
    messageOf([1, Symbol()]),
    "Cannot send argument 1 as it is a symbol",
  );
});

test("pack() names a property whose getter throws, with the error as cause", () => {
  const thrown = new RangeError("do not read");
  const value = {
    a: [{
      get trap() {
        throw thrown;
      },
    }],
  };
  assertEquals(isPlain(value), false);
  const error = assertThrows(() => pack(value, "it"), DOMException);
  assertEquals(
    error.message,
    "Cannot send it as its property 'a[0].trap' cannot be read: " +
      "RangeError: do not read",
  );
  assertStrictEquals((error as Error).cause, thrown);
});

test("explainCloneFailure() finds what pack() does not see", () => {
  const proxy = new Proxy({}, {});
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const culprits: [value: unknown, message: RegExp][] = [
    [{ a: [proxy] }, /'a\[0\]' is an object that cannot be cloned/],
    [new Proxy([1], {}), /as it is an array that cannot be cloned/],
    [new Map([[1, { proxy }]]), /'values\(\)\[0\]\.proxy' is an object/],
    [new Set([[proxy]]), /'values\(\)\[0\]\[0\]' is an object/],
    [[new Proxy(new Point(1), {})], /'\[0\]' is a Point that cannot be cloned/],
    [{ a: new Proxy(new Date(), {}) }, /'a' is a Date/],
    [{ a: { revoked } }, /'a\.revoked' cannot be read: TypeError/],
    [{ a: detachedBuffer() }, /'a' is a detached ArrayBuffer$/],
    [new WebAssembly.Memory({ initial: 1 }), /a WebAssembly\.Memory$/],
    [link(500_000, 1), /^Cannot send it as it is nested too deeply$/],
  ];
  for (const [value, message] of culprits) {
    const error = explainCloneFailure(value, "it");
    assertEquals(error.name, "DataCloneError");
    assertMatch(error.message, message);
  }
  // The Proxy has not spoilt what its class may do.
  assert(isPlain([new Date(), new Point(1)]));
});

test("explainCloneFailure() has a message when it finds nothing", () => {
  assertEquals(
    explainCloneFailure({ a: 1 }, "the result").message,
    "Cannot send the result as it is refused by the runtime",
  );
});

test("pack() keeps errors wherever they are", () => {
  const error = Object.assign(new TypeError("inside"), { code: 7 });
  const value = {
    error,
    list: [error, [error]],
    map: new Map<unknown, unknown>([[error, error], [1, { error }]]),
    set: new Set<unknown>([1, error]),
  };
  assertEquals(isPlain(value), false);
  const received = send(value);
  const again = received.error;
  assertInstanceOf(again, TypeError);
  assertEquals([again.message, again.code], ["inside", 7]);
  assertEquals(again.stack, error.stack);
  assertStrictEquals(received.list[0], again);
  assertStrictEquals((received.list[1] as unknown[])[0], again);
  assertEquals([...received.map.keys()], [again, 1]);
  assertStrictEquals(received.map.get(again), again);
  assertStrictEquals((received.map.get(1) as Any).error, again);
  assertEquals([...received.set], [1, again]);
  assertInstanceOf(send(new RangeError("alone")), RangeError);
});

test("pack() leaves the value that it copies as it was", () => {
  const value = {
    list: [new Error("x")],
    map: new Map([["a", new Error("y")]]),
  };
  const before = [value.list[0], value.map.get("a")];
  send(value);
  assertEquals([value.list[0], value.map.get("a")], before);
  assertInstanceOf(value.list[0], Error);
});

test("pack() keeps identity and cycles beside errors", () => {
  const error: Any = new Error("x");
  const value: Any = { list: [1], error, again: undefined };
  value.again = value.list;
  value.self = value;
  error.owner = value;
  const received = send(value);
  assertStrictEquals(received.again, received.list);
  assertStrictEquals(received.self, received);
  assertStrictEquals(received.error.owner, received);
});

test("isPlain() and pack() are quick for an array with few elements far apart", () => {
  const list: unknown[] = [];
  list[4_000_000_000] = 1;
  const start = performance.now();
  assertEquals(isPlain({ list }), true);
  list[3_000_000_000] = new Error("far out");
  assertEquals(isPlain({ list }), false);
  const { value } = pack({ list }, "the value") as { value: typeof list & Any };
  assert(performance.now() - start < 1000);
  assertEquals(value.list.length, list.length);
  // Some engines clone all of such an array.
  const short: unknown[] = [];
  short[100_000] = new Error("far out");
  const received = send(short);
  assertEquals(received.length, short.length);
  assertEquals(Object.keys(received), ["100000"]);
  assertInstanceOf(received[100_000], Error);
});

test("isPlain() is quick where many ways lead to the same objects", () => {
  const row = Array.from({ length: 300 }, () => ({}));
  const rows = Array.from({ length: 300 }, () => row);
  const value = Array.from({ length: 300 }, () => rows);
  const start = performance.now();
  assertEquals(isPlain(value), true);
  assert(performance.now() - start < 2000);
});

// --- lists ---

test("packList() sends many numbers in one buffer of their own", () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i / 3);
  numbers[1] = -0;
  numbers[2] = NaN;
  numbers[3] = Infinity;
  const { payload, transfer } = packList(numbers);
  assertInstanceOf(payload, Float64Array);
  assertEquals(transfer, [payload.buffer as ArrayBuffer]);
  const received = sendList(numbers);
  assertEquals(Array.from(received), numbers);
  assert(Object.is(received[1], -0));
  assertEquals(numbers.length, 1000);
});

test("packList() takes the elements of a typed array as numbers", () => {
  const floats = Float32Array.from({ length: 100 }, (_, i) => i);
  const shared = new Float64Array(new SharedArrayBuffer(800)).fill(1);
  for (const list of [floats, shared, floats.subarray(10, 90)]) {
    const received = sendList(list);
    assertEquals(Array.from(received), Array.from(list));
    assert(received.buffer !== list.buffer);
  }
  assertEquals(floats.length, 100);
  const bigs = BigInt64Array.from({ length: 100 }, (_, i) => BigInt(i));
  assertEquals(Array.from(sendList(bigs)), Array.from(bigs));
});

test("packList() gives a fresh Float64Array away with the buffer that it begins", () => {
  const fresh = new Float64Array(100).fill(1);
  assertStrictEquals(packList(fresh, true).payload, fresh);
  sendList(fresh, true);
  assertEquals(fresh.length, 0);
  const whole = new Float64Array(200).fill(1);
  sendList(whole.subarray(100), true);
  assertEquals(whole.length, 200);
  assertEquals(sendList(whole.subarray(0, 100), true).length, 100);
  assertEquals(whole.length, 0);
});

test("takeNumbers() takes the buffers that were given, and no others", () => {
  const given = send(takeNumbers(100));
  given.fill(7);
  giveNumbers(given);
  const taken = takeNumbers(90);
  assertEquals(taken.length, 90);
  assertStrictEquals(taken.buffer, given.buffer);
  assert(takeNumbers(90).buffer !== given.buffer);
  const parts = new Float64Array(1000);
  giveNumbers(parts.subarray(0, 64));
  giveNumbers(parts.subarray(128, 192));
  giveNumbers(new Float64Array(parts.buffer, 0, 900));
  assert(takeNumbers(64).buffer !== parts.buffer);
  assert(takeNumbers(900).buffer !== parts.buffer);
});

test("packList() keeps what a list holds", () => {
  const lists: unknown[][] = [
    [],
    [-0],
    [1, 2, 3],
    [...Array(100).keys(), "last"],
    [undefined, null, "a", [1, 2], { a: 1 }],
    [[1, "a"], [2, "b"]],
  ];
  for (const list of lists) {
    const { payload, transfer } = packList(list);
    assertStrictEquals(payload, list);
    assertEquals(transfer, []);
    assertEquals(sendList(list), list);
  }
  const received = sendList([1, { error: new URIError("x") }, new Error("y")]);
  assertInstanceOf(received[1].error, URIError);
  assertInstanceOf(received[2], Error);
  assertEquals(received.length, 3);
});

test("refusalsOf() does not try out what is to be moved", () => {
  const { port1, port2 } = new MessageChannel();
  const reason = new Error("the port is gone");
  transfer(port1);
  structuredClone(port1, { transfer: [port1 as never] });
  const gone = transfer(detachedBuffer());
  const [port, buffer, moved] = refusalsOf(
    [port1, gone, transfer(new ArrayBuffer(1))],
    (index) => `element ${index}`,
    reason,
  );
  // It may be that it can be moved.
  assertEquals([port, moved], [undefined, undefined]);
  assertEquals(
    buffer!.message,
    "Cannot send element 1 as it is a detached ArrayBuffer",
  );
  const [alone] = refusalsOf(
    [[1, port1]],
    () => (position) => `argument ${position}`,
    reason,
  );
  assertEquals(
    alone!.message,
    "Cannot send argument 1 as it has a part that cannot be moved",
  );
  assertStrictEquals(alone!.cause, reason);
  const [other] = refusalsOf(
    [[transfer(new ArrayBuffer(1)), new Proxy({}, {})]],
    () => (position) => `argument ${position}`,
    reason,
  );
  assertMatch(other!.message, /^Cannot send argument 1 as .* such as a Proxy$/);
  port2.close();
});

test("packList() names the element that cannot be sent", () => {
  const error = assertThrows(() => packList([1, { a: () => {} }]), Error);
  assertEquals(
    error.message,
    "Cannot send element 1 as its property 'a' is a function",
  );
});

test("refusalsOf() tells which elements cannot be sent", () => {
  const elements = [
    1,
    { a: () => {} },
    new Error("fine"),
    [new Proxy({}, {})],
    detachedBuffer(),
    [2, Symbol()],
  ];
  const refusals = refusalsOf(
    elements,
    (index) => index === 5 ? (i) => `argument ${i}` : `element ${index}`,
    undefined,
  );
  assertEquals(
    refusals.map((refusal) => refusal?.message),
    [
      undefined,
      "Cannot send element 1 as its property 'a' is a function",
      undefined,
      "Cannot send element 3 as its property '[0]' is an object that cannot " +
      "be cloned, such as a Proxy",
      "Cannot send element 4 as it is a detached ArrayBuffer",
      "Cannot send argument 1 as it is a symbol",
    ],
  );
});

// --- properties ---

/** Compares what equality by value may not: cycles, objects as Map keys. */
function assertSameGraph(
  a: Any,
  b: Any,
  pairs: Map<unknown, unknown> = new Map(),
): void {
  if (typeof a !== "object" || a === null) return assertStrictEquals(b, a);
  if (pairs.has(a)) return assertStrictEquals(b, pairs.get(a));
  pairs.set(a, b);
  assertStrictEquals(Object.getPrototypeOf(b), Object.getPrototypeOf(a));
  if (a instanceof Date) assertEquals(b.getTime(), a.getTime());
  const entriesOf = (value: Any) =>
    value instanceof Map || value instanceof Set
      ? [...value.entries()].flat()
      : Object.getOwnPropertyNames(value).filter((key) =>
        // The engine's own.
        !/^(?:stack|line|column|sourceURL|original\w+)$/.test(key)
      ).sort().flatMap((key) => [key, value[key]]);
  const [left, right] = [entriesOf(a), entriesOf(b)];
  assertEquals(right.length, left.length);
  left.forEach((entry, i) => assertSameGraph(entry, right[i], pairs));
}

test("pack() and unpack() carry any plain value as structured clone does", () => {
  const anything = fc.anything({
    withDate: true,
    withBigInt: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  });
  fc.assert(fc.property(anything, (value) => {
    assertEquals(isPlain(value), true);
    const clone = structuredClone(value);
    assertSameGraph(send(value), clone);
    assertSameGraph(send([value, new Error("beside")])[0], clone);
    assertSameGraph(sendList([value])[0], clone);
  }));
});

test("packList() and unpackList() carry any numbers", () => {
  const numbers = fc.oneof(
    fc.array(fc.oneof(fc.double(), fc.integer()), { maxLength: 200 }),
    fc.float64Array({ maxLength: 200 }),
    fc.int16Array({ maxLength: 200 }),
  );
  fc.assert(fc.property(numbers, (list) => {
    const received = Array.from(sendList(list));
    assertEquals(received.length, list.length);
    received.forEach((number, i) => assert(Object.is(number, list[i])));
  }));
});

interface Node {
  kind: "object" | "array" | "map" | "set" | "error";
  edges: number[];
}

/** Makes a graph, cycles and all, from the lists of edges of its nodes. */
function graphOf(nodes: Node[]): unknown[] {
  const made = nodes.map(({ kind }, i): Any => {
    if (kind === "array") return [];
    if (kind === "map") return new Map();
    if (kind === "set") return new Set();
    return kind === "error" ? new RangeError(`error ${i}`) : { id: i };
  });
  nodes.forEach(({ kind, edges }, i) => {
    edges.forEach((edge, key) => {
      const [from, to] = [made[i], made[edge % made.length]];
      if (kind === "array") from.push(to);
      else if (kind === "map") from.set(key % 2 ? to : key, to);
      else if (kind === "set") from.add(to);
      else from[kind === "error" && key === 0 ? "cause" : `edge${key}`] = to;
    });
  });
  return made;
}

test("pack() and unpack() carry graphs with errors and cycles", () => {
  const node: fc.Arbitrary<Node> = fc.record({
    kind: fc.constantFrom("object", "array", "map", "set", "error"),
    edges: fc.array(fc.nat(20), { maxLength: 4 }),
  });
  // Fewer errors than may be nested in each other.
  fc.assert(
    fc.property(fc.array(node, { minLength: 1, maxLength: 15 }), (nodes) => {
      const graph = graphOf(nodes);
      assertSameGraph(graph, send(graph));
    }),
  );
});
