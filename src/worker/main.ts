/**
 * The entry of a worker. It is bundled into source.ts and started from that
 * text. Handlers must be in place when the script ends: Deno and Bun drop
 * messages that find none.
 *
 * @module
 */

import { workerRuntime } from "../runtime/detect.ts";
import { packError } from "../wire/errors.ts";
import {
  EXITING,
  type FromWorker,
  SETUP,
  STRAY,
  type ToWorker,
} from "../wire/messages.ts";
import { cloningCodec } from "../wire/codec.ts";
import { Modules } from "./modules.ts";
import { pinThread } from "./pin.ts";
import { Runner } from "./runner.ts";

let runner: Runner | undefined;

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  workerRuntime.post(message, transfer);
}

workerRuntime.onExit((exitCode) => {
  if (runner?.isStopping) return;
  runner?.flush();
  post([EXITING, exitCode]);
});
workerRuntime.onStrayError((error) => post([STRAY, packError(error)]));
workerRuntime.onMessage((message) => {
  const received = message as ToWorker;
  if (received[0] !== SETUP) {
    runner!.receive(received);
    return;
  }
  const setup = received[1];
  runner = new Runner(setup, {
    post,
    codec: cloningCodec,
    close: workerRuntime.close,
    pin: (cpuIds) => pinThread(cpuIds, workerRuntime.builtin),
    finder: new Modules(
      workerRuntime,
      setup.workerId,
      setup.typescriptLoader,
    ),
  });
});
