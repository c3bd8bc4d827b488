import type {
  WorkerEnd,
  WorkerPort,
  WorkerProgram,
  WorkerRuntime,
} from "../runtime/contract.ts";
import { runtime } from "../runtime/detect.ts";
import { PREPARE } from "../wire/messages.ts";
import {
  FROM,
  type FromServer,
  GONE,
  KILL,
  RELEASE,
  type SpareSetup,
  TAKE,
  TO,
  type ToServer,
} from "../wire/server_messages.ts";
import { setTimeout } from "../timers.ts";

/** Kinds of spares that are kept ready: those asked for last. */
const KINDS = 2;

/** Spares of one kind that are kept ready, at most. */
const MOST_SPARES = 4;

/** How long a worker that has been taken has the CPUs for itself, in ms. */
const REFILL_DELAY = 20;

interface V8 {
  serialize(value: unknown): Uint8Array;
}

/** A process that has started and waits to become a worker. */
interface Spare {
  port: WorkerPort;
  onMessage: (bytes: Uint8Array) => void;
  onEnd: (end: WorkerEnd) => void;
}

interface Kind {
  setup: SpareSetup;
  spares: Set<Spare>;
  /** Workers that were taken since the spares were last refilled. */
  taken: number;
}

/** Keeps processes ready and hands on what is said to them and by them. */
export class Server {
  /** This process, by which it speaks to its owner. */
  readonly #host: WorkerRuntime;
  /** What the workers run. */
  readonly #program: WorkerProgram;
  readonly #serialize: V8["serialize"];
  readonly #workers = new Map<number, WorkerPort>();
  /** In the order of use. */
  readonly #kinds = new Map<string, Kind>();

  constructor(host: WorkerRuntime, program: WorkerProgram) {
    this.#host = host;
    this.#program = program;
    this.#serialize = host.builtin<V8>("node:v8").serialize;
  }

  /** Does what the program asks for. */
  receive(message: ToServer): void {
    const [, id] = message;
    const worker = this.#workers.get(id);
    switch (message[0]) {
      case TAKE:
        return this.#take(id, message[2]);
      case TO:
        // A copy, as some runtimes send all of the buffer under a view.
        return worker?.post(message[2].slice(), []);
      case RELEASE:
        worker?.waitForEnd(message[2]).then(() => this.#end(id, undefined));
        return;
      case KILL:
        worker?.terminate().then(() => this.#end(id, undefined));
    }
  }

  #tell(message: FromServer): void {
    this.#host.post(message, []);
  }

  #end(id: number, end: WorkerEnd | undefined): void {
    if (this.#workers.delete(id)) this.#tell([GONE, id, end]);
  }

  #take(id: number, setup: SpareSetup): void {
    const kind = this.#kindOf(setup);
    kind.taken++;
    const [spare = this.#start(kind)] = kind.spares;
    kind.spares.delete(spare);
    this.#workers.set(id, spare.port);
    spare.onMessage = (bytes) => this.#tell([FROM, id, bytes.slice()]);
    spare.onEnd = (end) => this.#end(id, end);
    setTimeout(() => this.#refill(kind), REFILL_DELAY);
  }

  #kindOf(setup: SpareSetup): Kind {
    const key = JSON.stringify(setup);
    const kind = this.#kinds.get(key) ??
      { setup, spares: new Set(), taken: 0 };
    this.#kinds.delete(key);
    this.#kinds.set(key, kind);
    if (this.#kinds.size > KINDS) {
      const [oldest, { spares }] = this.#kinds.entries().next().value!;
      this.#kinds.delete(oldest);
      for (const { port } of spares) port.terminate();
    }
    return kind;
  }

  /** As many as were wanted together may be wanted again. */
  #refill(kind: Kind): void {
    const wanted = Math.min(
      Math.max(kind.taken, kind.spares.size),
      MOST_SPARES,
    );
    kind.taken = 0;
    if (![...this.#kinds.values()].includes(kind)) return;
    while (kind.spares.size < wanted) kind.spares.add(this.#start(kind));
  }

  #start({ setup, spares }: Kind): Spare {
    const spare: Spare = {
      port: runtime.startProcess(this.#program, {
        memoryLimit: setup.memoryLimit,
        isRelayed: true,
      }, {
        onMessage: (bytes) => spare.onMessage(bytes as Uint8Array),
        onEnd: (end) => spare.onEnd(end),
      }),
      onMessage: () => {},
      // One that dies before it is needed is not replaced: it could go on.
      onEnd: () => spares.delete(spare),
    };
    spare.port.post(this.#serialize([PREPARE, setup]), []);
    return spare;
  }
}
