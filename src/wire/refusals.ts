import { type Carrier, threadCarrier } from "./carrier.ts";
import { canClone } from "./plain.ts";
import { type PathStep, Refusal, refusalError } from "./refusal.ts";
import { holdsMarked, takeMarked } from "./transfer.ts";
import { explainCloneFailure, isPlain, pack, type What } from "./values.ts";

/**
 * Why elements cannot be sent, for those that keep a list from being sent; of
 * the list is known for what `reason` that failed.
 *
 * What is to be moved is not tried out, as that moves it, and to clone what has
 * been moved may end the runtime: it shows when it is sent alone.
 */
export function refusalsOf(
  elements: ArrayLike<unknown>,
  what: (index: number) => What,
  reason: unknown,
  carrier: Carrier = threadCarrier,
): (Error | undefined)[] {
  return Array.from(elements, (element, index) => {
    try {
      const { value } = pack(element, what(index), carrier);
      const moves = carrier.transfers && holdsMarked(element);
      if (!(moves ? canMove(element) : canClone(value))) {
        return explainCloneFailure(element, what(index));
      }
      return moves && elements.length === 1
        ? moveFailure(element, what(index), reason)
        : undefined;
    } catch (error) {
      return error as Error;
    }
  });
}

/** Whether nothing that is to be moved is known to have been moved before. */
function canMove(value: unknown): boolean {
  try {
    takeMarked(value);
    return true;
  } catch {
    return false;
  }
}

function moveFailure(value: unknown, what: What, reason: unknown): Error {
  const path: PathStep[] = [];
  if (Array.isArray(value) && typeof what === "function") {
    // Another argument may be to blame.
    const others = value.map((part) => holdsMarked(part) ? undefined : part);
    if (isPlain(others) && !canClone(others)) {
      return explainCloneFailure(others, what);
    }
    path.push(value.findIndex(holdsMarked));
  }
  const refusal = new Refusal("has a part that cannot be moved");
  return refusalError(refusal, what, path, reason);
}
