import { isShareable } from "../shared/shareable.ts";

/** How structured clone treats an object that is no array. */
export type Kind =
  /** A plain object or an instance of a user's class: its own properties. */
  | "object"
  | "map"
  | "set"
  /** Loses its class, properties or more: see error_record.ts. */
  | "error"
  /** Holds no other values; every runtime clones or shares it. */
  | "leaf"
  /** Its state lies in shared memory, or elsewhere. */
  | "shareable"
  /** Refused by some runtime, or silently emptied. */
  | "refused";

const KINDS = new Map<string, Kind>([
  ["Map", "map"],
  ["Set", "set"],
  ["Error", "error"],
  ["DOMException", "error"],
  ["ArrayBuffer", "leaf"],
  ["BigInt", "leaf"],
  ["Boolean", "leaf"],
  ["CryptoKey", "leaf"],
  ["DataView", "leaf"],
  ["Date", "leaf"],
  ["Number", "leaf"],
  ["RegExp", "leaf"],
  ["SharedArrayBuffer", "leaf"],
  ["String", "leaf"],
  ["WebAssembly.Memory", "leaf"],
  ["WebAssembly.Module", "leaf"],
]);

// Built-in classes that are not to be found by their name on globalThis.
const REFUSED_TAG =
  /^(?:Async)?Generator$| Iterator$|^(?:Intl|Temporal|WebAssembly)\./;

// Prototypes are few and objects are many.
const kinds = new WeakMap<object, Kind>();
let lastPrototype: object | undefined;
let lastKind: Kind = "object";

/** The kind of an object, given its prototype. */
export function kindOf(value: object, prototype: object | null): Kind {
  if (prototype === Object.prototype || prototype === null) return "object";
  // Objects of a class mostly come one after the other.
  if (prototype === lastPrototype) return lastKind;
  let kind = kinds.get(prototype);
  if (kind === undefined) {
    kind = classify(value);
    kinds.set(prototype, kind);
  }
  lastPrototype = prototype;
  lastKind = kind;
  return kind;
}

// It stands for all objects with the same prototype, so that the prototypes
// should decide: the object may be a Proxy.
function classify(value: object): Kind {
  if (isShareable(value)) return "shareable";
  const names = platformClasses(value);
  for (const name of names) {
    const kind = /.Array$/.test(name) ? "leaf" : KINDS.get(name);
    if (kind !== undefined) return kind;
  }
  if (names.length > 0) return "refused";
  // An object of another realm, perhaps.
  if (ArrayBuffer.isView(value)) return "leaf";
  const tag = tagOf(value);
  const kind = KINDS.get(tag) ?? (REFUSED_TAG.test(tag) ? "refused" : "object");
  return (kind === "map" && !isUsable(Map.prototype.has, value)) ||
      (kind === "set" && !isUsable(Set.prototype.has, value))
    ? "object"
    : kind;
}

/** `Map`, `Date`, `URL` ... */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

const viewTag = Reflect.getOwnPropertyDescriptor(
  Reflect.getPrototypeOf(Int8Array.prototype)!,
  Symbol.toStringTag,
)!.get!;

/** `Int8Array`, `DataView` ..., whatever the view's own class calls itself. */
export function viewKind(view: ArrayBufferView): string {
  return viewTag.call(view) ?? "DataView";
}

/** Whether the value is an error, of this realm or another. */
export function isError(value: object): boolean {
  return value instanceof Error || KINDS.get(tagOf(value)) === "error";
}

// A class may call itself Map and be none.
function isUsable(
  method: (this: never, key: never) => boolean,
  value: object,
): boolean {
  try {
    method.call(value as never, undefined as never);
    return true;
  } catch {
    return false;
  }
}

/** The runtime's own class that the object is an instance of. */
export function platformClass(value: object): string | undefined {
  const tag = tagOf(value);
  return REFUSED_TAG.test(tag) ? tag : platformClasses(value)[0];
}

/** Names of the runtime's own classes on the prototype chain. */
function platformClasses(value: object): string[] {
  const names: string[] = [];
  let prototype = Object.getPrototypeOf(value);
  while (prototype !== null) {
    if (Object.hasOwn(prototype, "constructor")) {
      const { constructor } = prototype;
      if (isPlatformClass(constructor)) names.push(constructor.name);
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  return names;
}

function isPlatformClass(constructor: unknown): boolean {
  if (typeof constructor !== "function") return false;
  const { name } = constructor;
  if (name === "Object" || name === "Array") return false;
  // By name alone: some globals are loaded when they are first touched.
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, name);
  // What users put on globalThis is enumerable and no native code.
  return descriptor !== undefined &&
    (!descriptor.enumerable ||
      Function.prototype.toString.call(constructor).includes(
        "[native code]",
      )) &&
    (globalThis as Record<string, unknown>)[name] === constructor;
}
