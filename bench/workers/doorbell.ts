/** A worker that is called by shared memory: see contestants/doorbell.ts. */
import process from "node:process";
import { ANSWER, REQUEST, SPIN, VALUE, waitFor } from "../core/doorbell.ts";

const { setImmediate } = globalThis;

/** How long timers and messages may wait, in ms. */
const YIELD_INTERVAL = 8;

async function serve(words: Int32Array): Promise<void> {
  let yieldedAt = performance.now();
  for (let seen = 0;; seen++) {
    const waiting = waitFor(words, REQUEST, seen, SPIN);
    if (waiting) await waiting;
    words[VALUE]!++;
    Atomics.store(words, ANSWER, seen + 1);
    Atomics.notify(words, ANSWER);
    if (performance.now() - yieldedAt < YIELD_INTERVAL) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    yieldedAt = performance.now();
  }
}

if ("Deno" in globalThis || "Bun" in globalThis) {
  globalThis.onmessage = ({ data }: { data: Int32Array }) => void serve(data);
} else {
  const threads = process.getBuiltinModule("node:worker_threads");
  threads.parentPort!.on("message", (words: Int32Array) => void serve(words));
}
