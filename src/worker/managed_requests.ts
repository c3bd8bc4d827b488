import type { Ask } from "../managed/realm.ts";
import { type Resolvers, withResolvers } from "../promises.ts";
import type { Codec } from "../wire/codec.ts";
import {
  MANAGED,
  type MANAGED_REPLY,
  type ToWorker,
} from "../wire/messages.ts";
import { explainCloneFailure } from "../wire/values.ts";
import type { Post } from "./chunk_report.ts";

type Reply = Extract<ToWorker, [typeof MANAGED_REPLY, ...unknown[]]>;

/** What this worker asks of managed objects that live with its owner. */
export class ManagedRequests {
  readonly #post: Post;
  readonly #codec: Codec;
  readonly #waiting = new Map<number, Resolvers<unknown>>();
  #lastId = 0;

  constructor(post: Post, codec: Codec) {
    this.#post = post;
    this.#codec = codec;
  }

  /** Has the owner call a method. */
  readonly ask: Ask = async ({ args, ...call }) => {
    const what = `the arguments of ${call.kind}.${call.method}()`;
    const packed = this.#codec.pack(args, what);
    const requestId = ++this.#lastId;
    try {
      this.#post([MANAGED, requestId, { ...call, args: packed }]);
    } catch {
      throw explainCloneFailure(args, what);
    }
    const reply = withResolvers<unknown>();
    this.#waiting.set(requestId, reply);
    return await reply.promise;
  };

  /** The owner has answered. */
  settle([, requestId, outcome]: Reply): void {
    const { resolve, reject } = this.#waiting.get(requestId)!;
    this.#waiting.delete(requestId);
    try {
      if ("result" in outcome) resolve(this.#codec.unpack(outcome.result));
      else reject(this.#codec.unpackError(outcome.error));
    } catch (error) {
      // Shared memory that cannot be had here, for one.
      reject(error);
    }
  }
}
