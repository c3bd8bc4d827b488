/**
 * What is to be moved instead of copied: marks on buffers, ports and streams.
 *
 * In a worker the bundled entry and the copy of this library that the user's
 * modules import are two programs, so that the marks are kept on `globalThis`,
 * with the function that makes them.
 *
 * @module
 */

import { show } from "../check.ts";
import { tagOf } from "./kinds.ts";

interface Marker {
  (value: unknown): unknown;
  /** What is to be moved when it is sent. */
  readonly marked: WeakSet<object>;
  /** Whether there is anything to look for. */
  isUsed: boolean;
}

const key = Symbol.for("polypool.transfer");
const scope = globalThis as { [key]?: Marker };
const marker: Marker = scope[key] ??= Object.assign(mark, {
  marked: new WeakSet<object>(),
  isUsed: false,
});

function mark(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      "Cannot transfer a value as it must be an object that holds what is " +
        `to be moved: current value is ${show(value)}`,
    );
  }
  marker.isUsed = true;
  for (const part of movableIn(value)) marker.marked.add(part);
  return value;
}

/** Whether this very buffer, port or stream is to be moved. */
export function isMarked(part: object): boolean {
  return marker.isUsed && marker.marked.has(part);
}

/** Whether something in the value is to be moved. */
export function holdsMarked(value: unknown): boolean {
  try {
    return marker.isUsed && markedIn(value).length > 0;
  } catch {
    // A getter has thrown, and will again for who tells which.
    return false;
  }
}

/** What is to be moved of a value. */
export function markedIn(value: unknown): object[] {
  if (!marker.isUsed) return [];
  return [...movableIn(value)].filter((part) => marker.marked.has(part));
}

/** As `markedIn()`. Throws if something has been moved before. */
export function takeMarked(value: unknown): object[] {
  const parts = markedIn(value);
  for (const part of parts) {
    // Not every runtime refuses to move a buffer twice.
    if (part instanceof ArrayBuffer) new DataView(part);
  }
  return parts;
}

/** Refuses to move what each worker gets a copy of. */
export function checkUnmarked(value: unknown, label: string): void {
  if (!holdsMarked(value)) return;
  throw new TypeError(
    `Cannot send '${label}' as each worker gets a copy, and a part of it was ` +
      "given to transfer(): pass it as it is",
  );
}

/** Objects beside buffers that can be moved. */
const MOVABLE = /^(?:MessagePort|(?:Readable|Writable|Transform)Stream)$/;

/** The buffers, ports and streams in a value, however deep. */
function movableIn(value: unknown): Set<object> {
  const found = new Set<object>();
  const seen = new Set<unknown>();
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    const part = waiting.pop();
    if (typeof part !== "object" || part === null || seen.has(part)) continue;
    seen.add(part);
    if (Array.isArray(part)) {
      for (const inner of part) {
        if (typeof inner === "object") waiting.push(inner);
      }
    } else if (ArrayBuffer.isView(part)) {
      if (!isPooled(part)) waiting.push(part.buffer);
    } else if (part instanceof ArrayBuffer || MOVABLE.test(classOf(part))) {
      found.add(part);
    } else {
      // One by one: calls take no more than some 100,000 arguments.
      for (const inner of innerOf(part)) waiting.push(inner);
    }
  }
  return found;
}

function innerOf(part: object): Iterable<unknown> {
  switch (tagOf(part)) {
    case "Map":
      return [...part as Map<unknown, unknown>].flat();
    case "Set":
      return part as Set<unknown>;
    case "SharedArrayBuffer":
      return [];
  }
  return Object.values(part);
}

function classOf(part: object): string {
  const { constructor } = part;
  return typeof constructor === "function" ? constructor.name : "";
}

/** Whether it is a small `Buffer`: those share one that others need. */
function isPooled(view: ArrayBufferView): boolean {
  return classOf(view) === "Buffer" &&
    view.byteLength < view.buffer.byteLength;
}
