type Importer = (
  specifier: string,
  options?: ImportCallOptions,
) => Promise<unknown>;

interface CommonModule {
  filename: string;
  paths: string[];
  exports: unknown;
  _compile(text: string, path: string, format: "commonjs"): void;
}

/**
 * What stands for the module of a program without a file, such as `node -e`:
 * runtimes import from the current directory there.
 */
export function baseWithoutFile(
  folder: string,
  builtin: <T>(name: string) => T,
): string {
  const { pathToFileURL } = builtin<{ pathToFileURL(path: string): URL }>(
    "node:url",
  );
  return pathToFileURL(`${folder}/[eval]`).href;
}

const importers = new Map<string, Importer>();

/**
 * The `import()` of the module at `base`, a file URL: relative specifiers and
 * packages resolve as they do there, with the conditions of `import`. It is
 * that of a CommonJS module made up in the place of `base`, as neither
 * `import.meta.resolve()` nor `vm` offers the same without a flag or warning.
 */
export function importerAt(
  base: string,
  builtin: <T>(name: string) => T,
): Importer {
  let importer = importers.get(base);
  if (importer === undefined) {
    const Module = builtin<new (path: string) => CommonModule>("node:module");
    const { fileURLToPath } = builtin<{ fileURLToPath(url: string): string }>(
      "node:url",
    );
    const path = fileURLToPath(base);
    const module = new Module(path);
    module.filename = path;
    module.paths = [];
    module._compile(
      "module.exports = (specifier, options) => import(specifier, options)",
      path,
      "commonjs",
    );
    importer = module.exports as Importer;
    importers.set(base, importer);
  }
  return importer;
}
