import { ANSWER, REQUEST, SPIN, VALUE, waitFor } from "../core/doorbell.ts";
import { workerUrl } from "../core/workload.ts";

const isNode = !("Deno" in globalThis || "Bun" in globalThis);

interface StoppableWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
}

/**
 * A worker that is called by shared memory and no message: the least that a
 * call can cost where both event loops stay alive. It looks for calls for 50 µs
 * before it sleeps; the caller sleeps at once, or looks as long.
 */
export class Doorbell {
  static async start(spins: boolean): Promise<Doorbell> {
    const url = workerUrl("doorbell");
    const worker: StoppableWorker = isNode
      ? new (await import("node:worker_threads")).Worker(url)
      : new Worker(url, { type: "module" });
    const doorbell = new Doorbell(worker, spins);
    // Some runtimes drop messages that come before there is a handler.
    await new Promise((resolve) => setTimeout(resolve, 500));
    worker.postMessage(doorbell.#words);
    return doorbell;
  }

  readonly #words = new Int32Array(new SharedArrayBuffer(12));
  readonly #worker: StoppableWorker;
  readonly #spin: number;
  #calls = 0;

  private constructor(worker: StoppableWorker, spins: boolean) {
    this.#worker = worker;
    this.#spin = spins ? SPIN : 0;
  }

  async call(x: number): Promise<number> {
    const words = this.#words;
    words[VALUE] = x;
    Atomics.store(words, REQUEST, this.#calls + 1);
    Atomics.notify(words, REQUEST);
    const waiting = waitFor(words, ANSWER, this.#calls++, this.#spin);
    if (waiting) await waiting;
    return words[VALUE]!;
  }

  stop(): unknown {
    return this.#worker.terminate();
  }
}
