import type { WorkerMeter } from "../insights/worker_meter.ts";
import { clock } from "../runtime/detect.ts";
import { timeoutError } from "../timeouts.ts";
import type { Codec } from "../wire/codec.ts";
import { INITIALISING, LEAVING, RUNNING, setPhase } from "../wire/control.ts";
import type { PackedError } from "../wire/errors.ts";
import type { FunctionDefinition, WorkerSetup } from "../wire/messages.ts";
import type { Packed } from "../wire/values.ts";
import type { Announcer } from "./announcer.ts";
import { explain, findFunction, type FunctionFinder } from "./find_function.ts";
import { inTime } from "./in_time.ts";

/** What the exit function's result is called in errors. */
export const EXIT_RESULT = "the result of 'workerExit'";

/** What surrounds the init and exit functions. */
export interface LifecycleHost {
  codec: Codec;
  finder: FunctionFinder;
  /** Tells the owner what it cannot read from the control words. */
  announcer: Announcer | undefined;
}

/** What an exit function gave. */
export type ExitOutcome = { result: Packed } | { error: PackedError };

/** The init and exit functions of a worker. */
export class Lifecycle {
  readonly #setup: WorkerSetup;
  readonly #host: LifecycleHost;
  readonly #leading: readonly unknown[];
  readonly #meter: WorkerMeter | undefined;
  #isInitialised = false;
  /** Why it cannot be: the worker will be replaced. */
  #initError: { error: unknown } | undefined;

  /** `leading` are the arguments of both functions. */
  constructor(
    setup: WorkerSetup,
    host: LifecycleHost,
    leading: readonly unknown[],
    meter: WorkerMeter | undefined,
  ) {
    this.#setup = setup;
    this.#host = host;
    this.#leading = leading;
    this.#meter = meter;
  }

  /** Whether the worker is ready for its first task. */
  get isInitialised(): boolean {
    return this.#isInitialised;
  }

  /**
   * Runs the init function, unless it has run. It may take `timeout` ms, if
   * nobody else looks at that.
   */
  async initialise(timeout: number | undefined): Promise<void> {
    if (this.#isInitialised) return;
    if (this.#initError) throw this.#initError.error;
    const { workerInit, control } = this.#setup;
    setPhase(control, INITIALISING);
    await this.#host.announcer?.setPhase(INITIALISING);
    const start = clock.now();
    try {
      await this.#call(workerInit, timeout);
      this.#isInitialised = true;
    } catch (error) {
      this.#initError = { error };
      throw error;
    } finally {
      this.#meter?.addInit(clock.now() - start);
      setPhase(control, RUNNING);
      void this.#host.announcer?.setPhase(RUNNING);
    }
  }

  /** Runs the exit function, if there is one and the worker has had a task. */
  async exit(): Promise<ExitOutcome | undefined> {
    const { workerExit, control } = this.#setup;
    if (!this.#isInitialised || workerExit === undefined) return undefined;
    const { codec, announcer } = this.#host;
    setPhase(control, LEAVING);
    await announcer?.setPhase(LEAVING);
    const start = clock.now();
    try {
      const result = await this.#call(workerExit);
      return { result: codec.pack(result, EXIT_RESULT) };
    } catch (error) {
      return { error: codec.packError(error) };
    } finally {
      this.#meter?.addExit(clock.now() - start);
    }
  }

  async #call(
    definition: FunctionDefinition | undefined,
    initTimeout?: number,
  ): Promise<unknown> {
    if (definition === undefined) return undefined;
    const callable = await findFunction(definition, this.#host);
    const call = () =>
      this.#host.finder.runInTask(() => callable(...this.#leading));
    try {
      return await (initTimeout === undefined ? call() : inTime(
        initTimeout,
        call,
        () => timeoutError("workerInit", initTimeout, this.#setup.workerId),
      ));
    } catch (error) {
      throw explain(definition, error);
    }
  }
}
