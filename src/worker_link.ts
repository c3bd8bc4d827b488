import { clock } from "./runtime/detect.ts";
import type { FunctionHandle } from "./functions/registry.ts";
import type { WorkerEnd, WorkerPort } from "./runtime/contract.ts";
import { ManagedAnswers } from "./managed/answers.ts";
import { nativeModule, nativeModuleIfLoaded } from "./runtime/native.ts";
import { abandonHeld, expectHeld } from "./shared/held.ts";
import type { Starter, StartSetup } from "./start/contract.ts";
import type { Chunk } from "./task_source.ts";
import type { Codec } from "./wire/codec.ts";
import { HotLine, isGiven } from "./wire/hot_line.ts";
import { explainCloneFailure } from "./wire/values.ts";
import {
  begin,
  type ControlBlock,
  createControl,
  give,
  heldWords,
  offer,
  skipRest,
} from "./wire/control.ts";
import {
  CHUNK,
  DEFINE,
  FORGET,
  type FromWorker,
  isOneByOne,
  MANAGED,
  SETUP,
  SKIP,
  STOP,
  type ToWorker,
} from "./wire/messages.ts";

/** What comes from a worker. */
export interface LinkEvents {
  onMessage(message: FromWorker): void;
  /** The worker is gone, though nobody told it to go. */
  onEnd(end: WorkerEnd): void;
}

/** The line to one worker: what is said, and in which form. */
export class WorkerLink {
  /** The words of memory shared with the worker, or what it has told. */
  readonly control: ControlBlock;
  /** Whether the worker has the same words. */
  readonly sharesControl: boolean;
  /** How values travel. */
  readonly codec: Codec;
  readonly #port: WorkerPort;
  readonly #workerId: number;
  /** What the worker tells of the locks that it holds. */
  readonly #held: Int32Array;
  readonly #managed: ManagedAnswers;
  /** The way that is quicker than the port, if there is one. */
  readonly #hotLine: HotLine | undefined;
  #isHot = false;
  readonly #onMessage: (message: FromWorker) => void;
  /** Functions that the worker knows, by ID. */
  readonly #known = new Set<number>();

  /** Starts a worker. */
  constructor(
    setup: StartSetup,
    starter: Starter,
    events: LinkEvents,
  ) {
    this.codec = starter.codec;
    this.#workerId = setup.workerId;
    this.#onMessage = events.onMessage;
    this.#managed = new ManagedAnswers(
      this.codec,
      (reply) => this.#post(reply),
    );
    const control = starter.createControl();
    this.sharesControl = control !== undefined;
    this.control = control ?? createControl();
    this.#held = heldWords(this.control);
    this.#port = starter.start({
      onMessage: (message) => {
        // What user code there says to its parent is for nobody.
        if (!Array.isArray(message)) return;
        const received = message as FromWorker;
        this.#hotLine?.noteSeen();
        if (received[0] === MANAGED) this.#managed.answer(received);
        else events.onMessage(received);
      },
      onEnd: (end) => {
        this.#managed.end();
        this.#abandonHeld(true);
        events.onEnd(end);
      },
    }, setup);
    // What the worker does not need to start is made while it starts.
    if (control && !starter.inThread) {
      this.#hotLine = new HotLine(control, true, starter.isProcess);
    }
    expectHeld(this.#held);
    this.#managed.keep(setup.sharedObjects?.packed);
    try {
      const globals = starter.globals?.();
      this.#managed.keep(globals?.values);
      this.#post([SETUP, {
        ...setup,
        control: control && this.codec.pack(control, "control"),
        nativeModule: starter.isProcess
          ? nativeModule()
          : nativeModuleIfLoaded(),
        globals,
      }]);
    } catch {
      this.terminate();
      // All else in the setup is the pool's own.
      const shared = setup.sharedObjects?.packed;
      throw explainCloneFailure(shared?.value, "'sharedObjects'");
    }
  }

  /**
   * Sends a chunk, unless reading its elements has made it unwanted. Returns how
   * long that took, in ms. Throws when its elements cannot be sent.
   */
  sendChunk(sequence: number, chunk: Chunk): number | undefined {
    const { handle, elements, mode } = chunk;
    if (this.#isHot && this.#known.has(handle.id)) {
      if (isGiven(elements, mode)) give(this.control, sequence);
      else offer(this.control, sequence);
      if (this.#hotLine!.sendChunk(sequence, handle.id, mode, elements)) {
        return 0;
      }
    }
    const start = clock.now();
    const { payload, transfer } = this.codec.packList(elements);
    if (!chunk.source.wants(chunk)) return undefined;
    this.#define(handle);
    this.#managed.keep(payload);
    offer(this.control, sequence);
    // It counts as begun, as nobody could take it back.
    if (!this.sharesControl) begin(this.control, sequence);
    const told = isOneByOne(mode) ? undefined : mode;
    this.#post([CHUNK, sequence, handle.id, told, payload], transfer);
    return clock.now() - start;
  }

  /** Sends chunks, until told otherwise, the quick way if it can. */
  setHot(isHot: boolean): void {
    this.#isHot = isHot && this.#hotLine !== undefined;
    this.#hotLine?.setHot(isHot);
  }

  /** Whether to look for what the worker sends the quick way. */
  get isExpecting(): boolean {
    return this.#hotLine?.isExpecting ?? false;
  }

  /**
   * Looks for a moment for the end of a chunk, and hands it on. Returns whether
   * it came before this side fell asleep.
   */
  look(): boolean {
    const line = this.#hotLine!;
    const message = line.receiveResults();
    if (message) this.#onMessage(message);
    return message !== undefined && !line.hasSlept;
  }

  /** The worker shall leave what it has not begun of the chunk. */
  skipRest(sequence: number): void {
    skipRest(this.control, sequence);
    if (!this.sharesControl) this.#post([SKIP, sequence]);
  }

  /** The worker may forget a function. */
  forget(functionId: number): void {
    if (this.#known.delete(functionId)) this.#post([FORGET, functionId]);
  }

  /** Tells the worker to end. It must hold no chunk. */
  stop(): void {
    this.#post([STOP]);
  }

  /** Whether the worker keeps the program alive. */
  keepAlive(on: boolean): void {
    this.#port.keepAlive(on);
  }

  /** Stops the worker at once. */
  terminate(): Promise<void> {
    this.#managed.end();
    return this.#port.terminate().finally(() => this.#abandonHeld(true));
  }

  /** Whether the worker, which has been terminated, is gone after `ms`. */
  isGoneAfter(ms: number): Promise<boolean> {
    return this.#port.isGoneAfter(ms);
  }

  /** Waits at most `grace` ms until a worker ends that was told to. */
  waitForEnd(grace: number): Promise<void> {
    this.#managed.end();
    return this.#port.waitForEnd(grace).finally(() => this.#abandonHeld(false));
  }

  /** The worker is gone, or counts as such: what it held is to be had again. */
  #abandonHeld(hasDied: boolean): void {
    abandonHeld(this.#held, this.#workerId, hasDied);
  }

  #define(handle: FunctionHandle): void {
    if (this.#known.has(handle.id)) return;
    const { definition } = handle;
    if ("closure" in definition) this.#managed.keep(definition.closure);
    try {
      this.#post([DEFINE, handle.id, definition]);
    } catch {
      const closure = "closure" in definition ? definition.closure : undefined;
      throw explainCloneFailure(closure?.value, "'closure'");
    }
    this.#known.add(handle.id);
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    const post = () => this.#port.post(message, transfer);
    if (this.#hotLine) this.#hotLine.post(post);
    else post();
  }
}
