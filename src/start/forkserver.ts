import { within, withResolvers } from "../promises.ts";
import type {
  WorkerEnd,
  WorkerEvents,
  WorkerPort,
} from "../runtime/contract.ts";
import { runtime } from "../runtime/detect.ts";
import { nativeModule } from "../runtime/native.ts";
import { readMessage } from "../runtime/read_message.ts";
import { SERVE } from "../wire/messages.ts";
import {
  FROM,
  type FromServer,
  KILL,
  RELEASE,
  TAKE,
  TO,
  type ToServer,
} from "../wire/server_messages.ts";
import { workerProgram } from "../worker/source.ts";
import type { Starter, StartSetup } from "./contract.ts";
import { spawn } from "./spawn.ts";

interface V8 {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array): unknown;
}

/** How long the server may take to kill a worker, in ms. */
const PATIENCE = 5000;

/** What a worker of the server hears. */
interface Listener {
  onMessage(bytes: Uint8Array): void;
  onGone(end: WorkerEnd | undefined): void;
}

/** The process that starts workers ahead of need, as its program sees it. */
class ForkServer {
  readonly #port: WorkerPort;
  readonly #workers = new Map<number, Listener>();
  /** Workers that keep the program alive. */
  readonly #keeping = new Set<number>();
  #nextId = 0;
  #isOpen = true;

  constructor() {
    this.#port = runtime.startProcess(
      workerProgram,
      { memoryLimit: undefined, isRelayed: false },
      {
        onMessage: (message) => this.#receive(message as FromServer),
        onEnd: (end) => this.#end(end),
      },
    );
    this.#port.post([SERVE, {
      program: workerProgram,
      nativeModule: nativeModule(),
    }], []);
  }

  /** Whether it can start workers. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  start(events: WorkerEvents, setup: StartSetup): WorkerPort {
    const { serialize, deserialize } = runtime.builtin<V8>("node:v8");
    const { preload, typescriptLoader, memoryLimit } = setup;
    const id = this.#nextId++;
    const gone = withResolvers<void>();
    let open = true;
    let error: unknown;
    this.#workers.set(id, {
      onMessage: (bytes) => {
        if (!open) return;
        // A copy, as Deno (denoland/deno#36460) takes arrays of numbers from
        // the wrong place where the bytes are not the first of their buffer.
        readMessage(
          new Uint8Array(bytes),
          deserialize,
          (message) => events.onMessage(message),
          (reason) => {
            error = reason;
            this.#send([KILL, id]);
          },
        );
      },
      onGone: (end) => {
        gone.resolve();
        this.#keep(id, false);
        if (!open) return;
        open = false;
        events.onEnd(end ?? { error });
      },
    });
    this.#keep(id, true);
    this.#send([TAKE, id, {
      preload,
      typescriptLoader,
      memoryLimit,
      nativeModule: nativeModule(),
    }]);

    const leave = async (message: ToServer) => {
      open = false;
      this.#keep(id, true);
      if (this.#workers.has(id)) this.#send(message);
      await gone.promise;
    };
    return {
      post: (message) => this.#send([TO, id, serialize(message)]),
      keepAlive: (on) => this.#keep(id, on && this.#workers.has(id)),
      // A server that was stopped by a signal does not answer.
      terminate: () => within(leave([KILL, id]), PATIENCE),
      isGoneAfter: () => Promise.resolve(true),
      async waitForEnd(grace) {
        const left = leave([RELEASE, id, grace]);
        await within(left, grace * 2);
      },
    };
  }

  #send(message: ToServer): void {
    this.#port.post(message, []);
  }

  #keep(id: number, on: boolean): void {
    if (on) this.#keeping.add(id);
    else this.#keeping.delete(id);
    this.#port.keepAlive(this.#keeping.size > 0);
  }

  #receive(message: FromServer): void {
    const [kind, id] = message;
    const worker = this.#workers.get(id);
    if (kind === FROM) {
      worker?.onMessage(message[2]);
    } else {
      this.#workers.delete(id);
      worker?.onGone(message[2]);
    }
  }

  /** Its workers end with it. */
  #end(end: WorkerEnd): void {
    this.#isOpen = false;
    const workers = [...this.#workers.values()];
    this.#workers.clear();
    const error = end.error ?? new Error("its server ended");
    for (const worker of workers) worker.onGone({ ...end, error });
  }
}

let server: ForkServer | undefined;

/**
 * Workers that are processes from a server, which is started once and keeps
 * some ready: a worker then takes a few ms, also in a program that is large
 * or busy.
 */
export const forkserver: Starter = {
  ...spawn,
  start(events, setup) {
    if (!server?.isOpen) server = new ForkServer();
    return server.start(events, setup);
  },
};
