import { runtime } from "../runtime/detect.ts";
import { cloningCodec } from "../wire/codec.ts";
import { createControl } from "../wire/control.ts";
import { workerProgram } from "../worker/source.ts";
import type { Starter } from "./contract.ts";

/** Workers that are threads of this process. */
export const threading: Starter = {
  codec: cloningCodec,
  inThread: false,
  isProcess: false,
  stopsBusyWorkers: runtime.capabilities.stopsBusyThreads,
  createControl,
  start: (events) => runtime.startThread(workerProgram, events),
};
