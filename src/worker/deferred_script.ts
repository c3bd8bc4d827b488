/** The script, which generate.ts puts here: it bundles shared/primitives.ts. */
export const script: string = "";

/** What the script shares with the program, by the paths that it asks for. */
export const modules: Record<string, unknown> = {};
