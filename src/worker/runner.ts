import { WorkerMeter } from "../insights/worker_meter.ts";
import type { Codec } from "../wire/codec.ts";
import {
  begin,
  countersOf,
  FINDING,
  INITIALISING,
  offer,
  RUNNING,
  setPhase,
  skipRest,
} from "../wire/control.ts";
import type { PackedError } from "../wire/errors.ts";
import type { HotLine } from "../wire/hot_line.ts";
import { UntoldResults } from "../wire/untold.ts";
import { explainCloneFailure, type Packed } from "../wire/values.ts";
import {
  CHUNK,
  DEFINE,
  FORGET,
  type FunctionDefinition,
  READY,
  SKIP,
  STOPPED,
  type ToWorker,
  UNRUNNABLE,
  UNSTARTABLE,
  type WorkerSetup,
} from "../wire/messages.ts";
import type { Announcer } from "./announcer.ts";
import { ChunkReport, type Post } from "./chunk_report.ts";
import {
  bindTask,
  type BoundTask,
  runInOrder,
  type RunSetup,
  runSideBySide,
} from "./chunk_run.ts";
import { explain, findFunction, type FunctionFinder } from "./find_function.ts";
import { Gate } from "./gate.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** What the exit function's result is called in errors. */
const EXIT_RESULT = "the result of 'workerExit'";

/** How long timers and messages may have to wait, in ms. */
const TURN_INTERVAL = 8;

/** A chunk that waits for its turn, and its function. */
interface QueuedChunk {
  message: Extract<ToWorker, [typeof CHUNK, ...unknown[]]>;
  known: KnownFunction;
}

/** What surrounds a runner: a worker, or the pool's own thread. */
export interface RunnerHost {
  post: Post;
  codec: Codec;
  /** Waits until what was posted has left, if it has not. */
  drained(): Promise<void> | undefined;
  /** Tells the owner what it cannot read from the control words. */
  announcer: Announcer | undefined;
  /** Ends the worker. */
  close(): void;
  /** Binds the worker to CPUs. */
  pin(cpuIds: readonly number[]): void;
  finder: FunctionFinder;
  /** The quick way to the owner, if there is one. */
  hotLine: HotLine | undefined;
}

interface KnownFunction {
  definition: FunctionDefinition;
  callable?: Callable;
}

/** Runs the chunks that a worker is sent, first come, first served. */
export class Runner {
  readonly #setup: WorkerSetup;
  readonly #host: RunnerHost;
  readonly #leading: unknown[] = [];
  readonly #functions = new Map<number, KnownFunction>();
  readonly #gate = new Gate();
  readonly #untold: UntoldResults;
  readonly #queue: QueuedChunk[] = [];
  #current: ChunkReport | undefined;
  readonly #meter: WorkerMeter | undefined;
  readonly #prepared: Promise<void> | undefined;
  #isRunning = false;
  #isInitialised = false;
  /** Why it cannot be: the worker will be replaced. */
  #initError: { error: unknown } | undefined;
  #isStopping = false;

  constructor(setup: WorkerSetup, host: RunnerHost) {
    this.#setup = setup;
    this.#host = host;
    this.#untold = new UntoldResults(setup.control);
    if (setup.passWorkerId) this.#leading.push(setup.workerId);
    if (setup.sharedObjects) {
      this.#leading.push(host.codec.unpack(setup.sharedObjects.packed));
    }
    if (setup.useWorkerState) this.#leading.push({});
    if (setup.measures) {
      this.#meter = new WorkerMeter(countersOf(setup.control));
    }
    this.#meter?.beginWaiting();
    this.#prepared = this.#prepare();
  }

  /** Whether the worker has told its owner that it ends. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Takes a message from the owner. */
  receive(message: ToWorker): void {
    switch (message[0]) {
      case DEFINE:
        this.#functions.set(message[1], { definition: message[2] });
        return;
      case FORGET:
        this.#functions.delete(message[1]);
        return;
      case SKIP:
        skipRest(this.#setup.control, message[1]);
        return;
      case CHUNK:
        if (this.#host.announcer) offer(this.#setup.control, message[1]);
        this.#queue.push({
          message,
          known: this.#functions.get(message[2])!,
        });
        break;
      default:
        // The owner sends STOP after all chunks have been answered.
        this.#stop();
        return;
    }
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#runQueue();
    }
  }

  /** Reports finished tasks, as the worker is about to end. */
  flush(): void {
    this.#current?.flush();
  }

  /** Does what must be done before the first task. */
  #prepare(): Promise<void> | undefined {
    const { post, codec, finder } = this.#host;
    const { preload, cpuIds } = this.#setup;
    try {
      if (cpuIds) this.#host.pin(cpuIds);
    } catch (error) {
      post([UNSTARTABLE, codec.packError(error)]);
      return undefined;
    }
    if (preload.length === 0) {
      post([READY]);
      return undefined;
    }
    return Promise.all(
      preload.map(({ specifier, base }) => finder.preload(specifier, base)),
    ).then(
      () => post([READY]),
      (error) => post([UNSTARTABLE, codec.packError(error)]),
    );
  }

  async #runQueue(): Promise<void> {
    if (this.#prepared) await this.#prepared;
    const startedAt = performance.now();
    do {
      this.#meter?.endWaiting();
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        if (begin(this.#setup.control, next.message[1])) {
          await this.#runChunk(next);
        }
      }
      this.#meter?.beginWaiting();
    } while (this.#look(performance.now() - startedAt > TURN_INTERVAL));
    this.#isRunning = false;
  }

  /** Looks for the next chunk. Returns whether it has come. */
  #look(isTurnDue: boolean): boolean {
    const message = this.#host.hotLine?.receiveTask(isTurnDue);
    if (message) this.receive(message);
    return message !== undefined;
  }

  async #runChunk({ message, known }: QueuedChunk): Promise<void> {
    const [, sequence, functionId, mode, elements] = message;
    const { codec, post, finder, announcer, drained, hotLine } = this.#host;
    const list = codec.unpackList(elements);
    let task: BoundTask;
    try {
      const callable = known.callable ?? await this.#findKnown(known);
      task = bindTask(callable, this.#leading, list);
    } catch (error) {
      post([UNRUNNABLE, sequence, codec.packError(error), "function"]);
      return;
    }
    try {
      if (!this.#isInitialised) await this.#initialise();
    } catch (error) {
      post([UNRUNNABLE, sequence, codec.packError(error), "workerInit"]);
      return;
    }
    const { control, workerId } = this.#setup;
    const { isolated } = mode;
    const report = new ChunkReport({
      sequence,
      isolated,
      // The owner could not fetch them where it does not see the words.
      untold: isolated && mode.concurrency === 1 && !announcer
        ? this.#untold
        : undefined,
      control,
      codec,
      packError: (error) => codec.packError(explain(known.definition, error)),
      meter: this.#meter,
      post,
      // Tasks side by side may end when nobody looks for the next.
      hotLine: mode.concurrency === 1 ? hotLine : undefined,
      buffer: codec.copies && list instanceof Float64Array ? list : undefined,
    });
    const run: RunSetup = {
      sequence,
      functionId,
      mode,
      elements: list,
      task,
      control,
      workerId,
      report,
      meter: this.#meter,
      announcer,
      drained,
    };
    if (mode.concurrency > 1) {
      await finder.runInTask(() => runSideBySide(run, this.#gate));
      return;
    }
    const hasRoom = this.#gate.hasRoom(1);
    if (hasRoom) await hasRoom;
    this.#current = report;
    await finder.runInTask(() => runInOrder(run));
    this.#current = undefined;
  }

  async #initialise(): Promise<void> {
    if (this.#initError) throw this.#initError.error;
    const { workerInit, control } = this.#setup;
    setPhase(control, INITIALISING);
    await this.#host.announcer?.setPhase(INITIALISING);
    const start = performance.now();
    try {
      await this.#callLifecycle(workerInit);
      this.#isInitialised = true;
    } catch (error) {
      this.#initError = { error };
      throw error;
    } finally {
      this.#meter?.addInit(performance.now() - start);
      setPhase(control, RUNNING);
      void this.#host.announcer?.setPhase(RUNNING);
    }
  }

  async #stop(): Promise<void> {
    const { post, close } = this.#host;
    this.#meter?.endWaiting();
    const start = performance.now();
    const exit = this.#isInitialised && this.#setup.workerExit
      ? await this.#exit(this.#setup.workerExit)
      : undefined;
    if (exit) this.#meter?.addExit(performance.now() - start);
    // Until here the exit function itself may end the worker, which is news.
    this.#isStopping = true;
    const longest = this.#meter?.takeLongest();
    try {
      post([STOPPED, exit, longest]);
    } catch {
      const result = exit && "result" in exit ? exit.result.value : undefined;
      const error = explainCloneFailure(result, EXIT_RESULT);
      post([STOPPED, { error: this.#host.codec.packError(error) }, longest]);
    }
    close();
  }

  async #exit(
    definition: FunctionDefinition,
  ): Promise<{ result: Packed } | { error: PackedError }> {
    const { codec } = this.#host;
    try {
      const result = await this.#callLifecycle(definition);
      return { result: codec.pack(result, EXIT_RESULT) };
    } catch (error) {
      return { error: codec.packError(error) };
    }
  }

  /** Calls an init or exit function. */
  async #callLifecycle(
    definition: FunctionDefinition | undefined,
  ): Promise<unknown> {
    if (definition === undefined) return undefined;
    const callable = await findFunction(definition, this.#host);
    try {
      return await this.#host.finder.runInTask(() =>
        callable(...this.#leading)
      );
    } catch (error) {
      throw explain(definition, error);
    }
  }

  async #findKnown(known: KnownFunction): Promise<Callable> {
    const { control } = this.#setup;
    setPhase(control, FINDING);
    await this.#host.announcer?.setPhase(FINDING);
    try {
      known.callable = await findFunction(known.definition, this.#host);
      return known.callable;
    } finally {
      setPhase(control, RUNNING);
      void this.#host.announcer?.setPhase(RUNNING);
    }
  }
}
