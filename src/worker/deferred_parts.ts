/**
 * The parts of a worker's program that deferred.ts evaluates. generate.ts puts
 * them here.
 *
 * @module
 */

/** What a module exports. */
export type Namespace = Record<string, unknown>;

/** Evaluates the text of a part. */
export type Evaluation = () => unknown;

/** The modules that are evaluated when one of them is first called. */
export const late: Evaluation = () => undefined;

/** All that can be sent and stays the same, see shared/primitives.ts. */
export const primitives: Evaluation = () => undefined;

/** What the parts share with the program, by the paths that they ask for. */
export const modules: Record<string, Namespace> = {};
