import type { BriefValues } from "./brief.ts";
import { HOT_LINE_WORD } from "./control.ts";
import { loadNative } from "../runtime/native.ts";
import { Mailbox, MAILBOX_WORDS, type Sleeper } from "./mailbox.ts";
import {
  CHUNK,
  type ChunkMode,
  type FromWorker,
  ONE_BY_ONE,
  RESULTS,
  type ToWorker,
} from "./messages.ts";

/** How long a side stays awake for what comes next, in ms. */
const AWAKE = 0.05;

/**
 * How long it sleeps then before it goes back to its event loop, in ms: should
 * both sides run on the same core, each needs the other to leave it.
 */
const ASLEEP = 0.2;

/** Among threads of one process. */
const byEngine: Sleeper = {
  sleep: (words, index, expected, ms) =>
    void Atomics.wait(words, index, expected, ms),
  wake: (words, index) => void Atomics.notify(words, index),
};

/** Among processes. Those that share memory have the system's calls, too. */
const bySystem: Sleeper = {
  sleep(words, index, expected, ms) {
    const native = loadNative();
    if ("futexWait" in native) native.futexWait(words, index, expected, ms);
  },
  wake(words, index) {
    const native = loadNative();
    if ("futexWake" in native) native.futexWake(words, index, 1);
  },
};

type ChunkMessage = Extract<ToWorker, [typeof CHUNK, ...unknown[]]>;
type ResultsMessage = Extract<FromWorker, [typeof RESULTS, ...unknown[]]>;

/** Tasks in a chunk that may go the quick way, at most. */
export const MOST_TASKS = 64;

/**
 * Whether a chunk that goes the quick way counts as begun since then, see
 * `give()`. How long a task takes shows only in what its worker writes.
 */
export function isGiven(
  elements: ArrayLike<unknown>,
  { taskTimeout }: ChunkMode,
): boolean {
  return elements.length === 1 && taskTimeout === undefined;
}

/**
 * The quick way to a worker and back, for chunks of few tasks that follow each
 * other at once: each side stays awake for a moment to look for the next. It
 * carries brief values only, and stands beside the port: what it does not take
 * must be posted.
 */
export class HotLine {
  readonly #outgoing: Mailbox;
  readonly #incoming: Mailbox;

  /** Uses the control words of a worker that is a thread or a process. */
  constructor(control: Int32Array, isOwner: boolean, isProcess: boolean) {
    const sleeper = isProcess ? bySystem : byEngine;
    const [toWorker, toOwner] = [HOT_LINE_WORD, HOT_LINE_WORD + MAILBOX_WORDS]
      .map((first) => new Mailbox(control, first, sleeper));
    this.#outgoing = isOwner ? toWorker! : toOwner!;
    this.#incoming = isOwner ? toOwner! : toWorker!;
  }

  /** Posts a message to the other side. */
  post(post: () => void): void {
    this.#outgoing.post(post);
  }

  /** A message that the other side has posted has come. */
  noteSeen(): void {
    this.#incoming.noteSeen();
  }

  // --- owner ---

  /** Says whether the worker shall look for the next chunk. */
  setHot(isHot: boolean): void {
    this.#outgoing.promise(isHot);
  }

  /** Whether the worker has been sent a chunk whose end is to be looked for. */
  get isExpecting(): boolean {
    return this.#incoming.isOpen;
  }

  /** Sends a chunk. False if it must be posted. */
  sendChunk(
    sequence: number,
    functionId: number,
    { taskTimeout }: ChunkMode,
    elements: ArrayLike<unknown>,
  ): boolean {
    // The worker may answer before `send()` returns.
    this.#incoming.open();
    const values = this.#outgoing.begin(holdsObject(elements));
    const isSent = values !== undefined && values.write(sequence) &&
      values.write(functionId) && values.write(taskTimeout) &&
      writeList(values, elements) && this.#outgoing.send();
    if (!isSent) this.#incoming.receive(0, 0);
    return isSent;
  }

  /** Looks for the end of a chunk, if one is expected. */
  receiveResults(): ResultsMessage | undefined {
    const values = this.#receive(AWAKE, ASLEEP);
    if (!values) return undefined;
    const sequence = values.read() as number;
    const elapsed = values.read() as number;
    return [RESULTS, sequence, 0, readList(values), undefined, [elapsed]];
  }

  /** Whether this side fell asleep as it looked the last time. */
  get hasSlept(): boolean {
    return this.#incoming.hasSlept;
  }

  // --- worker ---

  /** Will look for the next chunk, if the owner says that it follows. */
  expectChunk(): void {
    if (this.#incoming.isPromised) this.#incoming.open();
  }

  /**
   * Looks for a chunk, if one is expected; only whether there is one, if it
   * `isUrgent` to come back.
   */
  receiveChunk(isUrgent: boolean): ChunkMessage | undefined {
    const values = isUrgent
      ? this.#receive(0, 0)
      : this.#receive(AWAKE, ASLEEP);
    if (!values) return undefined;
    const sequence = values.read() as number;
    const functionId = values.read() as number;
    const taskTimeout = values.read() as number | undefined;
    // The owner of a thread or process keeps the time of what runs one by one.
    const mode = taskTimeout === undefined
      ? undefined
      : { ...ONE_BY_ONE, taskTimeout };
    return [CHUNK, sequence, functionId, mode, readList(values)];
  }

  /** Tells that all tasks of a chunk have ended well. */
  sendResults(
    sequence: number,
    elapsed: number,
    results: ArrayLike<unknown>,
  ): boolean {
    const values = this.#outgoing.begin(holdsObject(results));
    return values !== undefined && values.write(sequence) &&
      values.write(elapsed) && writeList(values, results) &&
      this.#outgoing.send();
  }

  /** What comes answers what this side has sent last. */
  #receive(awake: number, asleep: number): BriefValues | undefined {
    const values = this.#incoming.receive(awake, asleep);
    if (values) this.#outgoing.noteAnswered();
    return values;
  }
}

/** Whether one may have to be gone through, however large it is. */
function holdsObject(list: ArrayLike<unknown>): boolean {
  for (let i = 0; i < list.length; i++) {
    const value = list[i];
    if (typeof value === "object" && value !== null) return true;
  }
  return false;
}

function writeList(values: BriefValues, list: ArrayLike<unknown>): boolean {
  if (!values.write(list.length)) return false;
  for (let i = 0; i < list.length; i++) {
    if (!values.write(list[i])) return false;
  }
  return true;
}

function readList(values: BriefValues): unknown[] {
  const length = values.read() as number;
  const list = [values.read()];
  while (list.length < length) list.push(values.read());
  return list;
}
