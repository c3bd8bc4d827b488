import type { Codec } from "../wire/codec.ts";
import type { ListPayload } from "../wire/list.ts";
import {
  type FromWorker,
  type MANAGED,
  MANAGED_REPLY,
  type ToWorker,
} from "../wire/messages.ts";
import { originalOf } from "../wire/records.ts";
import { explainCloneFailure, type Packed } from "../wire/values.ts";
import { performFor, type Request } from "./realm.ts";

type ManagedMessage = Extract<FromWorker, [typeof MANAGED, ...unknown[]]>;
type Reply = Extract<ToWorker, [typeof MANAGED_REPLY, ...unknown[]]>;

/** Answers what one worker asks of managed objects, and keeps those it has. */
export class ManagedAnswers {
  readonly #codec: Codec;
  readonly #post: (reply: Reply) => void;
  readonly #kept = new Set<object>();
  #isOpen = true;

  constructor(codec: Codec, post: (reply: Reply) => void) {
    this.#codec = codec;
    this.#post = post;
  }

  /** The worker is sent this: what is managed in it must live as long. */
  keep(packed: ListPayload | undefined): void {
    // What is in the same thread needs nobody to keep it.
    if (packed === undefined || Array.isArray(packed)) return;
    if (!this.#codec.copies || !("records" in packed)) return;
    for (const record of (packed as Packed).records ?? []) {
      const original = originalOf(record);
      if (original && "polypoolPerform" in original) this.#kept.add(original);
    }
  }

  /** The worker asks. Its requests take effect in the order they come in. */
  answer([, requestId, { args, ...call }]: ManagedMessage): void {
    const what = `the result of ${call.kind}.${call.method}()`;
    const reply = (result: unknown) => this.#reply(requestId, result, what);
    const refuse = (error: unknown) => this.#refuse(requestId, error);
    try {
      const request: Request = {
        ...call,
        args: this.#codec.unpack(args) as unknown[],
      };
      const result = performFor(request);
      // At once, as the object may change until later.
      if (result instanceof Promise) result.then(reply).catch(refuse);
      else reply(result);
    } catch (error) {
      refuse(error);
    }
  }

  /** The worker is gone, or counts as such. */
  end(): void {
    this.#isOpen = false;
    this.#kept.clear();
  }

  #reply(requestId: number, value: unknown, what: string): void {
    if (!this.#isOpen) return;
    const result = this.#codec.pack(value, what);
    this.keep(result);
    try {
      this.#post([MANAGED_REPLY, requestId, { result }]);
    } catch {
      throw explainCloneFailure(value, what);
    }
  }

  #refuse(requestId: number, error: unknown): void {
    if (!this.#isOpen) return;
    const packed = this.#codec.packError(error);
    try {
      this.#post([MANAGED_REPLY, requestId, { error: packed }]);
    } catch {
      // The worker is gone, which will be heard of.
    }
  }
}
