/** What tools make of a use of an import. */
const USE = /\b(?!\d)(_\w+|\w+_\d+|import_\w+)\.([\w$]+)/g;

/** What vitest, webpack and esbuild call modules, and nobody else. */
const GENERATED =
  /^(?:__vi(?:te_ssr)?_import_|__WEBPACK_|_.*__WEBPACK|import_)/;

/**
 * Whether the name is one that a tool has given to a module. TypeScript, swc
 * and Babel give names as users might, and have the functions of a module
 * called in a way that nobody would write.
 */
export function isModuleName(name: string, texts: string[]): boolean {
  return GENERATED.test(name) ||
    texts.some((text) => text.replaceAll(" ", "").includes(`(0,${name}.`));
}

/**
 * The variables through which the texts use what the module around them has
 * imported and `names` are the names of: some tools write `lib_1.helper` for
 * `helper`. Variables inside the texts may be among them, which hide what is
 * passed by their names.
 */
export function moduleVariables(texts: string[], names: string[]): string[] {
  /** Whether all that is used of a module has a name among those. */
  const modules = new Map<string, boolean>();
  for (const text of texts) {
    if (!text.includes("_")) continue;
    for (const [, module, name] of text.matchAll(USE)) {
      const isNamed = names.includes(name!) && modules.get(module!) !== false;
      modules.set(module!, isNamed);
    }
  }
  return [...modules.keys()].filter((module) =>
    modules.get(module) && !names.includes(module) &&
    !(module in globalThis) && isModuleName(module, texts)
  );
}
