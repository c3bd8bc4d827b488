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
  /** Refused by some runtime, or silently emptied. */
  | "refused";

const LEAF_TAGS = new Set([
  "ArrayBuffer",
  "BigInt",
  "Boolean",
  "CryptoKey",
  "Date",
  "Number",
  "RegExp",
  "SharedArrayBuffer",
  "String",
  "WebAssembly.Memory",
  "WebAssembly.Module",
]);

// Built-in classes that are not to be found by their name on globalThis.
const REFUSED_TAG = /^(?:Async)?Generator$| Iterator$|^(?:Intl|WebAssembly)\./;

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

// By tag rather than by class: it is the same for objects of other realms.
function classify(value: object): Kind {
  const tag = tagOf(value);
  if (ArrayBuffer.isView(value) || LEAF_TAGS.has(tag)) return "leaf";
  if (isError(value)) return "error";
  if (tag === "Map" && isUsable(Map.prototype.has, value)) return "map";
  if (tag === "Set" && isUsable(Set.prototype.has, value)) return "set";
  return platformClass(value) === undefined ? "object" : "refused";
}

/** `Map`, `Date`, `URL` ... */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** Whether the value is an error, of this realm or another. */
export function isError(value: object): boolean {
  if (value instanceof Error) return true;
  const tag = tagOf(value);
  return tag === "Error" || tag === "DOMException";
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

/** The name of the runtime's own class that the object is an instance of. */
export function platformClass(value: object): string | undefined {
  const tag = tagOf(value);
  if (REFUSED_TAG.test(tag)) return tag;
  for (
    let prototype = Object.getPrototypeOf(value);
    prototype !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    const { constructor } = prototype;
    if (constructor === Object || !Object.hasOwn(prototype, "constructor")) {
      continue;
    }
    if (isPlatformClass(constructor)) return constructor.name;
  }
  return undefined;
}

// Globals are looked up by name alone: some are loaded when first touched.
function isPlatformClass(constructor: unknown): boolean {
  if (typeof constructor !== "function") return false;
  const { name } = constructor;
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, name);
  // What users put on globalThis is enumerable and no native code.
  return descriptor !== undefined &&
    (!descriptor.enumerable ||
      Function.prototype.toString.call(constructor).includes(
        "[native code]",
      )) &&
    (globalThis as Record<string, unknown>)[name] === constructor;
}
