import type { RawCall } from "../workers/raw.ts";
import { workerUrl } from "../core/workload.ts";
import type { TaskName } from "./peer.ts";

type Answer = number | [id: number, result: unknown];

interface RawWorker {
  post(message: number | RawCall, transfer?: ArrayBuffer[]): void;
  onAnswer: (answer: Answer) => void;
  stop(): unknown;
}

const isNode = !("Deno" in globalThis || "Bun" in globalThis);

async function startWorker(): Promise<RawWorker> {
  const url = workerUrl("raw");
  if (isNode) {
    const threads = await import("node:worker_threads");
    const worker = new threads.Worker(url);
    const raw: RawWorker = {
      post: (message, transfer) => worker.postMessage(message, transfer),
      onAnswer: () => {},
      stop: () => worker.terminate(),
    };
    worker.on("message", (answer: Answer) => raw.onAnswer(answer));
    return raw;
  }
  const worker = new Worker(url, { type: "module" });
  const raw: RawWorker = {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    onAnswer: () => {},
    stop: () => worker.terminate(),
  };
  worker.onmessage = ({ data }: { data: Answer }) => raw.onAnswer(data);
  return raw;
}

/** Workers with no pool around them: what somebody writes by hand. */
export class RawWorkers {
  /** Starts so many. */
  static async start(count: number): Promise<RawWorkers> {
    const starts = Array.from({ length: count }, startWorker);
    return new RawWorkers(await Promise.all(starts));
  }

  readonly #workers: RawWorker[];

  private constructor(workers: RawWorker[]) {
    this.#workers = workers;
  }

  /** One message there and one back, with nothing but a number in each. */
  roundTrip(x: number): Promise<number> {
    const worker = this.#workers[0]!;
    return new Promise((resolve) => {
      worker.onAnswer = (answer) => resolve(answer as number);
      worker.post(x);
    });
  }

  /** Makes what sends a number to one worker after the other. */
  queue(): (x: number) => Promise<number> {
    const queues = this.#workers.map((worker) => {
      const resolves: ((answer: number) => void)[] = [];
      // A worker answers in the order of its messages.
      worker.onAnswer = (answer) => resolves.shift()!(answer as number);
      return resolves;
    });
    let next = 0;
    return (x) =>
      new Promise((resolve) => {
        const index = next++ % queues.length;
        queues[index]!.push(resolve);
        this.#workers[index]!.post(x);
      });
  }

  /** Sends each number in a message of its own, all at once. */
  increments(count: number): Promise<number[]> {
    const results = new Array<number>(count);
    return new Promise((resolve) => {
      let missing = count;
      for (const worker of this.#workers) {
        worker.onAnswer = (answer) => {
          results[answer as number - 1] = answer as number;
          if (--missing === 0) resolve(results);
        };
      }
      for (let i = 0; i < count; i++) {
        this.#workers[i % this.#workers.length]!.post(i);
      }
    });
  }

  /**
   * Runs a task for each input; workers that are free take the next. Each
   * holds `ahead` at a time. Results go to `take`, in any order.
   */
  run<R>(
    task: TaskName,
    inputs: Iterable<unknown>,
    take: (result: R, index: number) => void,
    { ahead = 2, transfer = false } = {},
  ): Promise<void> {
    const iterator = inputs[Symbol.iterator]();
    let sent = 0;
    let done = 0;
    const feed = (worker: RawWorker) => {
      const next = iterator.next();
      if (next.done) return;
      const argument = next.value as { buffer: ArrayBuffer };
      const buffers = transfer ? [argument.buffer] : [];
      worker.post([sent++, task, argument, transfer], buffers);
    };
    return new Promise((resolve) => {
      for (const worker of this.#workers) {
        worker.onAnswer = (answer) => {
          const [index, result] = answer as [number, R];
          feed(worker);
          take(result, index);
          if (++done === sent) resolve();
        };
      }
      for (let i = 0; i < ahead; i++) this.#workers.forEach(feed);
    });
  }

  /** Runs a task for each input and returns the results in order. */
  async map<R>(
    task: TaskName,
    inputs: Iterable<unknown>,
    options?: { ahead?: number; transfer?: boolean },
  ): Promise<R[]> {
    const results: R[] = [];
    const take = (result: R, index: number) => void (results[index] = result);
    await this.run(task, inputs, take, options);
    return results;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }
}
