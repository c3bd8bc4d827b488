import type { WorkerEvents, WorkerPort } from "../runtime/contract.ts";
import { runtime } from "../runtime/detect.ts";
import { cloningCodec } from "../wire/codec.ts";
import { createControl } from "../wire/control.ts";
import { workerProgram } from "../worker/source.ts";
import type { Starter } from "./contract.ts";
import { queueMicrotask } from "../timers.ts";

/** A thread that nobody has taken yet, and what hears of it. */
let spare: { port: WorkerPort; events: WorkerEvents } | undefined;

function startThread(events: WorkerEvents): WorkerPort {
  return runtime.startThread(workerProgram, events);
}

/** Starts a thread ahead, for whoever takes it without waiting. */
function prepare(): void {
  if (spare) return;
  const events: WorkerEvents = {
    onMessage() {},
    onEnd: () => spare = undefined,
  };
  try {
    const port = startThread(events);
    port.keepAlive(false);
    const prepared = spare = { port, events };
    // Whoever comes later is to have the environment of then.
    queueMicrotask(() => {
      if (spare !== prepared) return;
      spare = undefined;
      void port.terminate();
    });
  } catch {
    // It will be tried again, and told.
  }
}

function start(events: WorkerEvents): WorkerPort {
  if (!spare) return startThread(events);
  const taken = spare;
  spare = undefined;
  // The runtime looks at each event who hears of it.
  Object.assign(taken.events, events);
  taken.port.keepAlive(true);
  return taken.port;
}

/** Workers that are threads of this process. */
export const threading: Starter = {
  codec: cloningCodec,
  inThread: false,
  isProcess: false,
  stopsBusyWorkers: runtime.capabilities.stopsBusyThreads,
  createControl,
  prepare,
  start,
};
