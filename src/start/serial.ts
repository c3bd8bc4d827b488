import { runtime } from "../runtime/detect.ts";
import type { WorkerEvents, WorkerPort } from "../runtime/contract.ts";
import { referenceCodec } from "../wire/codec.ts";
import { SETUP, type ToWorker } from "../wire/messages.ts";
import { exportOf } from "../worker/exports.ts";
import type { FunctionFinder } from "../worker/find_function.ts";
import { Runner } from "../worker/runner.ts";
import type { Starter } from "./contract.ts";

/** How functions are found where they already are. */
const finder: FunctionFinder = {
  runInTask: (callback) => callback(),
  preload: async (specifier, base) => {
    await runtime.importFrom(specifier, base);
  },
  importFrom: runtime.importFrom,
  findExport: async (url, name) => exportOf(await import(url), url, name),
  // Functions wrapped with task() are called directly.
  findTask: () => Promise.reject(new Error("Unreachable")),
};

/** Delivers messages later, in order, as a worker's port would. */
function start(events: WorkerEvents): WorkerPort {
  let runner: Runner | undefined;
  let open = true;

  function receive(message: ToWorker): void {
    if (!open) return;
    if (message[0] !== SETUP) return runner!.receive(message);
    runner = new Runner(message[1], {
      post: (reply) => queueMicrotask(() => open && events.onMessage(reply)),
      codec: referenceCodec,
      close: () => {},
      // The thread is not the pool's to bind.
      pin: () => {},
      finder,
    });
  }

  const terminate = () => {
    open = false;
    return Promise.resolve();
  };
  return {
    post: (message) => queueMicrotask(() => receive(message as ToWorker)),
    keepAlive: () => {},
    terminate,
    waitForEnd: terminate,
  };
}

/** No workers: the tasks run in the thread that called the pool. */
export const serial: Starter = {
  codec: referenceCodec,
  inThread: true,
  // A task that is late has ended, or waits for something.
  stopsBusyWorkers: true,
  start,
};
