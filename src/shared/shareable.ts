/**
 * Objects whose state lies in shared memory or with the owner of a worker: a
 * copy of one, wherever it is sent, is the same object to its users.
 *
 * @module
 */

/** The method by which such an object tells what it is made of. */
export const SHARED_STATE: unique symbol = Symbol.for("polypool.sharedState");

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
  [SHARED_STATE](): SharedState;
}

type Restore = (parts: unknown[]) => object;

const restorers = new Map<string, Restore>();

/** Tells how objects of a kind are made from their parts. */
export function registerShareable(kind: string, restore: Restore): void {
  restorers.set(kind, restore);
}

/** The object that is made of the parts. */
export function restoreShareable({ kind, parts }: SharedState): object {
  return restorers.get(kind)!(parts);
}

/** Whether the object can be sent and stays the same. */
export function isShareable(value: object): value is Shareable {
  return SHARED_STATE in value;
}
