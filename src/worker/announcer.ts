import type { Counters } from "../insights/counters.ts";
import { clock } from "../runtime/detect.ts";
import { type ControlBlock, progressOf } from "../wire/control.ts";
import {
  AT,
  COUNTED,
  FAILED,
  type FromWorker,
  PHASE,
  RESULTS,
  STOPPED,
} from "../wire/messages.ts";
import type { Post } from "./chunk_report.ts";

/** Tasks that begin sooner after an announcement need none, in ms. */
const INTERVAL = 2;

/**
 * Tells the owner what it cannot read from the control words, as the memory
 * of this process is not shared: how far the worker is. Whatever could take
 * long, or end the worker, waits until the message has left.
 */
export class Announcer {
  readonly #control: ControlBlock;
  readonly #post: Post;
  readonly #drained: () => Promise<void> | undefined;
  readonly #counters: Counters | undefined;
  #lastAt = -Infinity;

  constructor(
    control: ControlBlock,
    post: Post,
    drained: () => Promise<void> | undefined,
    counters: Counters | undefined,
  ) {
    this.#control = control;
    this.#post = post;
    this.#drained = drained;
    this.#counters = counters;
  }

  /**
   * Sends a message, and before the end of a chunk how far it came and what
   * has been counted.
   */
  readonly post: Post = (message: FromWorker, transfer) => {
    if (message[0] === FAILED || (message[0] === RESULTS && message[5])) {
      this.#tell(message[1]);
      this.#tellCounters();
    } else if (message[0] === STOPPED) {
      this.#tellCounters();
    }
    this.#post(message, transfer);
  };

  /** A task begins. Of many quick ones not all are told. */
  begin(
    sequence: number,
    index: number,
    isolated: boolean,
  ): Promise<void> | undefined {
    const now = clock.now();
    if (!isolated && index > 0 && now - this.#lastAt < INTERVAL) {
      return undefined;
    }
    this.#lastAt = now;
    this.#tell(sequence);
    return this.#drained();
  }

  /** The worker begins what is no task, or has ended it. */
  setPhase(phase: number): Promise<void> | undefined {
    this.#post([PHASE, phase]);
    return this.#drained();
  }

  #tell(sequence: number): void {
    const { begun } = progressOf(this.#control, sequence);
    this.#post([AT, sequence, begun]);
  }

  #tellCounters(): void {
    if (this.#counters) this.#post([COUNTED, [...this.#counters]]);
  }
}
