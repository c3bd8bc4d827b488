import { runtime } from "../runtime/detect.ts";
import { sharedMemory } from "../shared/memory.ts";
import { serializingCodec } from "../wire/codec.ts";
import { type ControlBlock, createSharedControl } from "../wire/control.ts";
import { workerProgram } from "../worker/source.ts";
import type { Starter } from "./contract.ts";

/** Control words for processes, which not all programs can share memory with. */
export function createProcessControl(): ControlBlock | undefined {
  return sharedMemory.available ? createSharedControl() : undefined;
}

/** Workers that are fresh processes. */
export const spawn: Starter = {
  codec: serializingCodec,
  inThread: false,
  isProcess: true,
  stopsBusyWorkers: true,
  createControl: createProcessControl,
  start: (events, setup) =>
    runtime.startProcess(workerProgram, {
      memoryLimit: setup.memoryLimit,
      isRelayed: false,
    }, events),
};
