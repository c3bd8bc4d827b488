import { runtime } from "../../src/runtime/detect.ts";
import { cloningCodec as codec } from "../../src/wire/codec.ts";
import { withResolvers } from "../../src/promises.ts";
import { createControl, offer } from "../../src/wire/control.ts";
import {
  CHUNK,
  DEFINE,
  type FromWorker,
  RESULTS,
  SETUP,
  type ToWorker,
} from "../../src/wire/messages.ts";
import type { ListPayload } from "../../src/wire/list.ts";
import { workerProgram } from "../../src/worker/source.ts";
import { plainSetup } from "../../tests/support/plain_setup.ts";

/**
 * A worker of polypool's without a pool: told by hand to compute 1 + 1. Gives
 * the result and what stops the worker.
 */
export async function startLoneWorker(): Promise<
  [result: unknown, stop: () => unknown]
> {
  const { promise, resolve, reject } = withResolvers<ArrayLike<unknown>>();
  const port = runtime.startThread(workerProgram, {
    onMessage(message) {
      const [kind, , , results] = message as FromWorker;
      if (kind === RESULTS) resolve(codec.unpackList(results as ListPayload));
    },
    onEnd: ({ error }) => reject(error),
  });
  const control = createControl();
  offer(control, 0);
  const messages: ToWorker[] = [
    [SETUP, {
      ...plainSetup,
      control: codec.pack(control, "control"),
      nativeModule: undefined,
      globals: undefined,
    }],
    [DEFINE, 0, {
      kind: "text",
      name: "increment",
      text: "(x) => x + 1",
      base: undefined,
      closure: undefined,
      closureTexts: {},
      isShared: false,
    }],
    [CHUNK, 0, 0, undefined, codec.packList([1]).payload],
  ];
  for (const message of messages) port.post(message, []);
  const results = await promise;
  return [results[0], () => port.terminate()];
}
