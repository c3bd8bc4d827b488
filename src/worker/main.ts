/**
 * The entry of a worker. It is bundled into source.ts and started from that
 * text. Handlers must be in place when the script ends: Deno and Bun drop
 * messages that find none.
 *
 * @module
 */

import { workerRuntime } from "../runtime/detect.ts";
import { askOwnerBy } from "../managed/realm.ts";
import { trackHeld } from "../shared/held.ts";
import { findKindsBy } from "../shared/shareable.ts";
import { packError } from "../wire/errors.ts";
import {
  EXITING,
  type FromWorker,
  MANAGED_REPLY,
  PREPARE,
  type PreparedSetup,
  type SentSetup,
  SERVE,
  type ServerSetup,
  SETUP,
  STRAY,
  type ToWorker,
  UNSTARTABLE,
} from "../wire/messages.ts";
import { cloningCodec, serializingCodec } from "../wire/codec.ts";
import {
  type ControlBlock,
  countersOf,
  createControl,
  heldWords,
} from "../wire/control.ts";
import { HotLine } from "../wire/hot_line.ts";
import { useNativeModule } from "../runtime/native.ts";
import { isPoolProcess } from "../runtime/boot_script.ts";
import { processWorker } from "../runtime/process_worker.ts";
import { Announcer } from "./announcer.ts";
import { deferParts, loadPrimitives } from "./deferred.ts";
import * as deferredParts from "./deferred_parts.ts";
import { installGlobals } from "./globals.ts";
import { ManagedRequests } from "./managed_requests.ts";
import { Modules } from "./modules.ts";
import { pinWorker } from "./pin.ts";
import { Runner } from "./runner.ts";
import { Server } from "./server.ts";
import type { ToServer } from "../wire/server_messages.ts";

deferParts(deferredParts);
const host = isPoolProcess() ? processWorker(workerRuntime) : workerRuntime;
const codec = host.isProcess ? serializingCodec : cloningCodec;
let finder: Modules | undefined;
let runner: Runner | undefined;

let hotLine: HotLine | undefined;

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  const post = () => host.post(message, transfer);
  if (hotLine) hotLine.post(post);
  else post();
}

findKindsBy(loadPrimitives);

const requests = new ManagedRequests(post, codec);
askOwnerBy(requests.ask);

host.onExit((exitCode) => {
  if (runner?.isStopping) return;
  runner?.flush();
  // The end of a process needs no telling.
  if (!host.isProcess) post([EXITING, exitCode]);
});
host.onStrayError((error) => post([STRAY, packError(error)]));

/** Takes its place among processes. */
function become(nativeModule: string | undefined): void {
  if (nativeModule !== undefined) useNativeModule(nativeModule);
  host.endWithOwner?.();
}

/** Does ahead of need what does not depend on the pool. */
function prepare(setup: PreparedSetup): void {
  become(setup.nativeModule);
  const modules = finder = new Modules(host, setup.typescriptLoader);
  for (const { specifier, base } of setup.preload) {
    // Should it fail, the worker will say so.
    modules.preload(specifier, base).catch(() => {});
  }
}

function serve({ program, nativeModule }: ServerSetup): void {
  become(nativeModule);
  const server = new Server(host, program);
  receive = (message) => server.receive(message as ToServer);
}

function start(message: SentSetup): Runner {
  const {
    control: packedControl,
    globals,
    nativeModule,
    ...setup
  } = message;
  if (!finder) become(nativeModule);
  finder ??= new Modules(host, setup.typescriptLoader);
  finder.setWorkerId(setup.workerId);
  if (globals) installGlobals(globals, codec, finder);
  const control = packedControl
    ? codec.unpack(packedControl) as ControlBlock
    : createControl();
  trackHeld(heldWords(control));
  if (packedControl) {
    hotLine = new HotLine(control, false, host.isProcess);
    // This message.
    hotLine.noteSeen();
  }
  const announcer = packedControl ? undefined : new Announcer(
    control,
    post,
    host.drained,
    setup.measures ? countersOf(control) : undefined,
  );
  return new Runner({ ...setup, control }, {
    post: announcer?.post ?? post,
    codec,
    close: host.close,
    drained: host.drained,
    announcer,
    hotLine,
    pin: (cpuIds) => pinWorker(cpuIds, host),
    finder,
  });
}

let receive = (message: unknown): void => {
  const received = message as ToWorker;
  switch (received[0]) {
    case PREPARE:
      return prepare(received[1]);
    case SERVE:
      return serve(received[1]);
    case MANAGED_REPLY:
      return requests.settle(received);
    case SETUP:
      try {
        runner = start(received[1]);
      } catch (error) {
        post([UNSTARTABLE, packError(error)]);
      }
      return;
    default:
      runner?.receive(received);
  }
};

host.onMessage((message) => {
  try {
    hotLine?.noteSeen();
    receive(message);
  } catch (error) {
    // Tasks have damaged what all code needs. No worker is better than one
    // that is silent.
    host.close();
    throw error;
  }
}, (error) => post([UNSTARTABLE, packError(error)]));
