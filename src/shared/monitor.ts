import type { Mutex } from "./mutex.ts";

/** What a lock is for a condition. */
export interface Monitor {
  /** Who holds it. */
  readonly mutex: Mutex;
  /** Releases it, however often it has been acquired. Returns how often. */
  leave(): number;
  /** It has been taken again: it counts as acquired as often as it was. */
  enter(depth: number): void;
}

/** What a lock is for a condition. */
export function monitorOf(lock: { polypoolMonitor(): unknown }): Monitor {
  return lock.polypoolMonitor() as Monitor;
}
