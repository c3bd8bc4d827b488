import { threadCarrier } from "./carrier.ts";
import { Copier } from "./copy.ts";
import { tagOf } from "./kinds.ts";
import { canClone, holdsPrimitives, isPlain } from "./plain.ts";
import {
  isTooDeep,
  type PathStep,
  Refusal,
  refusalError,
  refusalOf,
  stepOf,
  type What,
} from "./refusal.ts";

/**
 * The error that says why a value could not be sent, even though `pack()` took
 * it: that does not see everything, such as a Proxy or a detached buffer.
 */
export function explainCloneFailure(value: unknown, what: What): DOMException {
  // Where something could have been moved, that is told in another way.
  const copier = new Copier({ ...threadCarrier, transfers: false });
  try {
    copier.copy(value);
  } catch (thrown) {
    return copier.explain(thrown, what);
  }
  // What is not plain is sent as a copy, which has no Proxy in it.
  if (isPlain(value)) {
    try {
      structuredClone(value);
    } catch (thrown) {
      if (isTooDeep(thrown)) return refusalError(thrown, what, []);
      const path: PathStep[] = [];
      const culprit = findCulprit(value, path);
      return refusalError(refusalOf(culprit), what, path);
    }
  }
  return refusalError(new Refusal("is refused by the runtime"), what, []);
}

/** The innermost part that cannot be cloned; its path is added to `path`. */
function findCulprit(value: unknown, path: PathStep[]): unknown {
  const seen = new Set<unknown>();
  let culprit = value;
  while (true) {
    seen.add(culprit);
    const found = partsOf(culprit as object).find(([part]) =>
      typeof part === "object" && !seen.has(part) && !canClone(part)
    );
    if (found === undefined) return culprit;
    culprit = found[0];
    path.push(...found[1]);
  }
}

type Part = [value: unknown, steps: PathStep[]];

function partsOf(container: object): Part[] {
  if (
    ArrayBuffer.isView(container) ||
    Array.isArray(container) && holdsPrimitives(container)
  ) return [];
  const parts = (collection: string, values: Iterable<unknown>): Part[] =>
    Array.from(values, (value, i) => [value, [collection, i]]);
  switch (tagOf(container)) {
    case "Map": {
      const map = container as Map<unknown, unknown>;
      return [
        ...parts("keys()", map.keys()),
        ...parts("values()", map.values()),
      ];
    }
    case "Set":
      return parts("values()", (container as Set<unknown>).values());
  }
  return Object.entries(container).map(([key, value]) => [
    value,
    [stepOf(container, key)],
  ]);
}
