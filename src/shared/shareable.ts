/**
 * Objects whose state lies in shared memory or with the owner of a worker: a
 * copy of one, wherever it is sent, is the same object to its users.
 *
 * @module
 */

/** What such an object is made of. */
export interface SharedState {
  /** The name it was registered by, that of its class. */
  kind: string;
  /** What can be sent: typed arrays on shared memory, numbers, others such. */
  parts: unknown[];
}

/** An object that can be sent and stays the same. */
export interface Shareable {
  /** What it is made of. */
  polypoolState(): SharedState;
}

type Restore = (parts: unknown[]) => object;

const restorers = new Map<string, Restore>();

/** Tells how objects of a kind are made from their parts. */
export function registerShareable(kind: string, restore: Restore): void {
  restorers.set(kind, restore);
}

let load: (() => void) | undefined;

/** Kinds are registered when the first object comes. */
export function findKindsBy(loadKinds: () => void): void {
  load = loadKinds;
}

/** The object that is made of the parts. */
export function restoreShareable({ kind, parts }: SharedState): object {
  if (!restorers.has(kind)) load?.();
  return restorers.get(kind)!(parts);
}

/**
 * Lets `instanceof` hold for the objects of another copy of this library, such
 * as those that a worker's program makes of what it receives, and gives the
 * class the name that minifiers take from it.
 */
export function brandShareable(
  shareableClass: { readonly prototype: object },
  kind: string,
): void {
  const brand = Symbol.for(`polypool.${kind}`);
  Object.defineProperty(shareableClass, "name", {
    value: kind,
    configurable: true,
  });
  Object.defineProperty(shareableClass.prototype, brand, { value: true });
  Object.defineProperty(shareableClass, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      // Subclasses inherit this method, but are told by their prototype.
      return this === shareableClass
        ? typeof value === "object" && value !== null && brand in value
        : Function.prototype[Symbol.hasInstance].call(this as never, value);
    },
  });
}

/** Whether the object can be sent and stays the same. */
export function isShareable(value: object): value is Shareable {
  return "polypoolState" in value;
}
