import { clock } from "../runtime/detect.ts";
import { WorkerMeter } from "../insights/worker_meter.ts";
import {
  begin,
  countersOf,
  handBack,
  leaveRest,
  offer,
} from "../wire/control.ts";
import { type HotLine, isGiven } from "../wire/hot_line.ts";
import { UntoldResults } from "../wire/untold.ts";
import { explainCloneFailure } from "../wire/values.ts";
import {
  CHUNK,
  type ChunkMode,
  DEFINE,
  FORGET,
  ONE_BY_ONE,
  READY,
  SKIP,
  STOPPED,
  type ToWorker,
  UNRUNNABLE,
  UNSTARTABLE,
  type WorkerSetup,
} from "../wire/messages.ts";
import { ChunkReport, type Post } from "./chunk_report.ts";
import {
  elementTask,
  runInOrder,
  type RunSetup,
  runSideBySide,
} from "./chunk_run.ts";
import { explain } from "./find_function.ts";
import { Gate } from "./gate.ts";
import { type KnownFunction, KnownFunctions } from "./known_functions.ts";
import { EXIT_RESULT, Lifecycle, type LifecycleHost } from "./lifecycle.ts";
import { LoneTasks } from "./lone_tasks.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** How long timers and messages may have to wait, in ms. */
const TURN_INTERVAL = 8;

/**
 * Of so many calls in turn one is timed, and looks whether others are due for a
 * turn: to read the clock takes up to 0.1 us.
 */
const CALLS_A_LOOK = 8;

type ChunkMessage = Extract<ToWorker, [typeof CHUNK, ...unknown[]]>;

/** A chunk that waits for its turn, and its function. */
interface QueuedChunk {
  message: ChunkMessage;
  mode: ChunkMode;
  known: KnownFunction;
  /** Whether the worker stayed awake for it. */
  isInTurn: boolean;
  /** Whether it counts as begun since it was sent, and is run at once. */
  isGiven: boolean;
}

/** What surrounds a runner: a worker, or the pool's own thread. */
export interface RunnerHost extends LifecycleHost {
  post: Post;
  /** Waits until what was posted has left, if it has not. */
  drained(): Promise<void> | undefined;
  /** Ends the worker. */
  close(): void;
  /** Binds the worker to CPUs. */
  pin(cpuIds: readonly number[]): void;
  /** The quick way to the owner, if there is one. */
  hotLine: HotLine | undefined;
}

/** Runs the chunks that a worker is sent, first come, first served. */
export class Runner {
  readonly #setup: WorkerSetup;
  readonly #host: RunnerHost;
  readonly #leading: unknown[] = [];
  readonly #functions: KnownFunctions;
  readonly #gate = new Gate();
  readonly #untold: UntoldResults;
  readonly #queue: QueuedChunk[] = [];
  #current: ChunkReport | undefined;
  readonly #meter: WorkerMeter | undefined;
  readonly #lifecycle: Lifecycle;
  readonly #loneTasks: LoneTasks<QueuedChunk>;
  readonly #prepared: Promise<void> | undefined;
  #isRunning = false;
  /** Calls one after the other for which the worker stayed awake. */
  #callsInTurn = 0;
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
    this.#functions = new KnownFunctions(setup.control, host, this.#leading);
    if (setup.measures) {
      this.#meter = new WorkerMeter(countersOf(setup.control));
    }
    this.#meter?.beginWaiting();
    this.#lifecycle = new Lifecycle(setup, host, this.#leading, this.#meter);
    this.#loneTasks = new LoneTasks({
      control: setup.control,
      finder: host.finder,
      hotLine: host.hotLine,
      post: host.post,
      createReport: (chunk, startedAt) => this.#createReport(chunk, startedAt),
    });
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
        this.#functions.define(message[1], message[2]);
        return;
      case FORGET:
        this.#functions.forget(message[1]);
        return;
      case SKIP:
        leaveRest(this.#setup.control, message[1]);
        return;
      case CHUNK:
        // What came the quick way and has not been looked for was sent before:
        // while tasks wait for something, messages come first.
        this.#look(true, false);
        if (this.#host.announcer) offer(this.#setup.control, message[1]);
        return this.#add(message, false, false);
      default:
        // The owner sends STOP after all chunks have been answered.
        this.#stop();
    }
  }

  /** Runs a chunk, after those that are there. */
  #add(message: ChunkMessage, isInTurn: boolean, isNext: boolean): void {
    const [, sequence, functionId, mode = ONE_BY_ONE, elements] = message;
    const known = this.#functions.get(functionId);
    const chunk = { message, mode, known, isInTurn, isGiven: false };
    if (isInTurn && isGiven(elements as unknown[], mode)) {
      chunk.isGiven = isNext && known.callable !== undefined &&
        this.#lifecycle.isInitialised && this.#runsAlone(mode);
      if (!chunk.isGiven) handBack(this.#setup.control, sequence);
    }
    this.#queue.push(chunk);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#runQueue();
  }

  /** Reports finished tasks, as the worker is about to end. */
  flush(): void {
    this.#current?.flush();
    const unread = this.#host.hotLine?.receiveChunk(true);
    if (unread) handBack(this.#setup.control, unread[1]);
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
    try {
      if (this.#prepared) await this.#prepared;
      const startedAt = clock.now();
      this.#callsInTurn = 0;
      let isTurnDue = false;
      do {
        this.#meter?.endWaiting();
        for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
          try {
            const running = this.#runChunk(next);
            if (running) await running;
          } catch (error) {
            // Tasks have failed by themselves. What they were sent does not
            // exist any more, perhaps.
            this.#refuse(next, error, "function");
          }
        }
        this.#meter?.beginWaiting();
        if (++this.#callsInTurn % CALLS_A_LOOK === 0) {
          isTurnDue = clock.now() - startedAt > TURN_INTERVAL;
        }
      } while (this.#look(isTurnDue, true));
      this.#isRunning = false;
    } catch (error) {
      // Tasks have damaged what all code needs.
      this.#host.close();
      throw error;
    }
  }

  /**
   * Looks for the next chunk, which is run at once if it `isNext`. Returns
   * whether it has come.
   */
  #look(isTurnDue: boolean, isNext: boolean): boolean {
    const message = this.#host.hotLine?.receiveChunk(isTurnDue);
    if (message) this.#add(message, true, isNext);
    return message !== undefined;
  }

  /** Runs a chunk. Returns a promise only if it has to wait for something. */
  #runChunk(chunk: QueuedChunk): Promise<void> | undefined {
    const { message: [, sequence], known: { callable } } = chunk;
    if (!chunk.isGiven && !begin(this.#setup.control, sequence)) return;
    return callable && this.#lifecycle.isInitialised
      ? this.#run(chunk, callable)
      : this.#prepareAndRun(chunk);
  }

  async #prepareAndRun(chunk: QueuedChunk): Promise<void> {
    const { known } = chunk;
    // What this throws is told as the function's.
    const callable = known.callable ?? await this.#functions.find(known);
    try {
      await this.#lifecycle.initialise(chunk.mode.initTimeout);
    } catch (error) {
      return this.#refuse(chunk, error, "workerInit");
    }
    await this.#run(chunk, callable);
  }

  /** No task of the chunk can be run. */
  #refuse(
    { message: [, sequence] }: QueuedChunk,
    error: unknown,
    stage: "function" | "workerInit",
  ): void {
    const { codec, post } = this.#host;
    post([UNRUNNABLE, sequence, codec.packError(error), stage]);
  }

  #run(
    chunk: QueuedChunk,
    callable: Callable,
  ): Promise<void> | undefined {
    const { message: [, sequence, functionId, , elements], mode } = chunk;
    const { codec, finder, announcer, drained } = this.#host;
    const list = codec.unpackList(elements);
    if (chunk.isGiven || list.length === 1 && this.#runsAlone(mode)) {
      const [element] = list as [unknown];
      const isTimed = !chunk.isInTurn || this.#callsInTurn % CALLS_A_LOOK === 0;
      return this.#loneTasks.run(chunk, callable, element, isTimed);
    }
    const startedAt = clock.now();
    const report = this.#createReport(chunk, startedAt, list);
    const run: RunSetup = {
      sequence,
      functionId,
      mode,
      elements: list,
      task: elementTask(callable, list),
      control: this.#setup.control,
      workerId: this.#setup.workerId,
      report,
      startedAt,
      meter: this.#meter,
      announcer,
      drained,
    };
    if (mode.concurrency > 1) {
      return finder.runInTask(() => runSideBySide(run, this.#gate));
    }
    const runTasks = () => {
      this.#current = report;
      return finder.runInTask(() => runInOrder(run)).finally(() =>
        this.#current = undefined
      );
    };
    return this.#gate.hasRoom(1)?.then(runTasks) ?? runTasks();
  }

  /** Whether nobody must be told before or while a single task runs. */
  #runsAlone({ isolated, concurrency, taskTimeout }: ChunkMode): boolean {
    const { announcer, drained } = this.#host;
    return isolated && concurrency === 1 && taskTimeout === undefined &&
      !this.#meter && !announcer && drained() === undefined &&
      this.#gate.hasRoom(1) === undefined;
  }

  #createReport(
    { message: [, sequence], mode, known }: QueuedChunk,
    startedAt: number,
    list?: ArrayLike<unknown>,
  ): ChunkReport {
    const { isolated, concurrency } = mode;
    const { codec, post, announcer, hotLine } = this.#host;
    return new ChunkReport({
      sequence,
      mode,
      // The owner could not fetch them where it does not see the words.
      untold: isolated && concurrency === 1 && !announcer
        ? this.#untold
        : undefined,
      control: this.#setup.control,
      codec,
      packError: (error) => codec.packError(explain(known.definition, error)),
      meter: this.#meter,
      post,
      // Tasks side by side may end when nobody looks for the next, and results
      // must not take the place of elements whose tasks run.
      hotLine: concurrency === 1 ? hotLine : undefined,
      buffer: concurrency === 1 && codec.copies && list instanceof Float64Array
        ? list
        : undefined,
      startedAt,
    });
  }

  async #stop(): Promise<void> {
    const { post, close } = this.#host;
    this.#meter?.endWaiting();
    const exit = await this.#lifecycle.exit();
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
}
