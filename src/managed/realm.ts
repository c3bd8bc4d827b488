/**
 * What all copies of this library in one thread know of managed objects: a
 * bundle beside a package, a worker's program beside the modules that it
 * imports.
 *
 * @module
 */

/** A managed object: the one in its owner, or what stands for it elsewhere. */
export interface Managed {
  /** Calls a method. Gives a promise only where the object is not. */
  polypoolPerform(method: string, args: unknown[]): unknown;
}

/** A method that is to be called, wherever the object is. */
export interface Request {
  /** Whose. */
  id: string;
  /** The name of its class. */
  kind: string;
  /** The name of the method. */
  method: string;
  /** What it is given. */
  args: unknown[];
}

/** Has the owner of this worker call a method. */
export type Ask = (request: Request) => Promise<unknown>;

interface Realm {
  /** All that were made or received here and are still in use, by ID. */
  readonly known: Map<string, WeakRef<Managed>>;
  /** Takes out what was collected. */
  readonly collected: FinalizationRegistry<string>;
  /** None where there is no owner. */
  ask: Ask | undefined;
}

const key = Symbol.for("polypool.managedRealm");
const scope = globalThis as { [key]?: Realm };

function realm(): Realm {
  return scope[key] ??= createRealm();
}

function createRealm(): Realm {
  const known = new Map<string, WeakRef<Managed>>();
  return {
    known,
    collected: new FinalizationRegistry((id) => {
      if (!known.get(id)?.deref()) known.delete(id);
    }),
    ask: undefined,
  };
}

/** The object by that ID, if it is known here. */
export function findManaged(id: string): Managed | undefined {
  return realm().known.get(id)?.deref();
}

/** Makes an object known here. */
export function makeKnown(id: string, managed: Managed): void {
  const { known, collected } = realm();
  known.set(id, new WeakRef(managed));
  collected.register(managed, id);
}

/** Worker: objects that are not here are asked for in this way. */
export function askOwnerBy(ask: Ask): void {
  realm().ask = ask;
}

/** Calls a method of an object that is not here. */
export async function askOwner(request: Request): Promise<unknown> {
  const { ask } = realm();
  if (ask) return await ask(request);
  const { kind, method } = request;
  throw new Error(
    `Cannot call ${kind}.${method}() as the object lives in a worker: make ` +
      "it here, and send it to the workers",
  );
}

/** Calls a method for a worker of this thread. */
export function performFor(request: Request): unknown {
  const managed = findManaged(request.id);
  return managed
    ? managed.polypoolPerform(request.method, request.args)
    : askOwner(request);
}
