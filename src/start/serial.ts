import { clock, runtime } from "../runtime/detect.ts";
import type { WorkerEvents, WorkerPort } from "../runtime/contract.ts";
import { referenceCodec } from "../wire/codec.ts";
import { type ControlBlock, createControl } from "../wire/control.ts";
import { SETUP, type ToWorker } from "../wire/messages.ts";
import { exportOf } from "../worker/exports.ts";
import type { FunctionFinder } from "../worker/find_function.ts";
import { Runner } from "../worker/runner.ts";
import type { Starter } from "./contract.ts";
import { callSoon, queueMicrotask } from "../timers.ts";

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

/** How long tasks may keep timers waiting, in ms. */
const YIELD_INTERVAL = 8;

/**
 * Makes the function that sends messages to `deliver`: later and in order, as
 * a port would, and not without end before the timers that are due.
 */
function createMailbox<M>(deliver: (message: M) => void): (message: M) => void {
  const messages: M[] = [];
  let lastYield = -Infinity;
  const deliverAll = () => {
    for (const message of messages.splice(0)) deliver(message);
  };
  const yieldFirst = () => {
    lastYield = clock.now();
    deliverAll();
  };
  return (message) => {
    if (messages.push(message) > 1) return;
    if (clock.now() - lastYield < YIELD_INTERVAL) {
      queueMicrotask(deliverAll);
    } else {
      callSoon(yieldFirst);
    }
  };
}

/** Runs a worker's part in the calling thread. */
function start(events: WorkerEvents): WorkerPort {
  let runner: Runner | undefined;
  let open = true;

  function receive(message: ToWorker): void {
    if (!open) return;
    if (message[0] !== SETUP) return runner!.receive(message);
    const { control, ...setup } = message[1];
    runner = new Runner({
      ...setup,
      control: referenceCodec.unpack(control!) as ControlBlock,
    }, {
      post: createMailbox((reply) => open && events.onMessage(reply)),
      codec: referenceCodec,
      drained: () => undefined,
      announcer: undefined,
      hotLine: undefined,
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
    post: createMailbox((message) => receive(message as ToWorker)),
    keepAlive: () => {},
    isGoneAfter: () => Promise.resolve(true),
    terminate,
    waitForEnd: terminate,
  };
}

/** No workers: the tasks run in the thread that called the pool. */
export const serial: Starter = {
  codec: referenceCodec,
  inThread: true,
  isProcess: false,
  // A task that is late has ended, or waits for something.
  stopsBusyWorkers: true,
  createControl,
  start,
};
