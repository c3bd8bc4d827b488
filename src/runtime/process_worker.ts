import { CHANNEL } from "./boot_script.ts";
import type { WorkerRuntime } from "./contract.ts";
import { loadNative } from "./native.ts";
import { readMessage } from "./read_message.ts";
import { setTimeout } from "../timers.ts";

/** What the boot script leaves, see boot_script.ts. */
interface Channel {
  send(message: Uint8Array, onSent: () => void): void;
  listen(listener: (message: Uint8Array) => void): void;
  /** Ends the process if its owner has ended. */
  look(): void;
  exit(code: number): never;
}

interface V8 {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

/** What this needs of `process`. */
interface Process {
  on(event: "exit", listener: (code: number) => void): void;
}

/** How long a worker that has ended waits for its owner to let go, in ms. */
const LINGER = 1000;

const scope = globalThis as {
  [key: symbol]: Channel | undefined;
  process?: Process;
};

/** The inside of a process that a pool has started. */
export function processWorker(base: WorkerRuntime): WorkerRuntime {
  const channel = scope[Symbol.for(CHANNEL)]!;
  const { serialize, deserialize } = base.builtin<V8>("node:v8");
  let unsent = 0;
  let waiting: (() => void)[] = [];

  function onSent(): void {
    if (--unsent > 0) return;
    const wake = waiting;
    waiting = [];
    for (const resolve of wake) resolve();
  }

  function drained(): Promise<void> | undefined {
    if (unsent === 0) return undefined;
    return new Promise((resolve) => waiting.push(resolve));
  }

  return {
    ...base,
    isProcess: true,
    onMessage: (handler, onUnreadable) =>
      channel.listen((bytes) =>
        readMessage(bytes, deserialize, handler, onUnreadable)
      ),
    post(message) {
      const bytes = serialize(message);
      unsent++;
      channel.send(bytes, onSent);
    },
    drained,
    endWithOwner() {
      const native = loadNative();
      if ("reason" in native) return;
      // That takes effect even in a loop that never yields.
      native.dieWithParent();
      // But not if the owner has ended before.
      channel.look();
    },
    onExit: (handler) => scope.process!.on("exit", handler),
    async close() {
      // Its end is what the owner hears of next, and messages that have not
      // left by then are lost. The owner lets go when it has read them.
      await drained();
      setTimeout(() => channel.exit(0), LINGER);
    },
  };
}
