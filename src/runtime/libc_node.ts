import { bindEach, type Libc, openFirst } from "./libc.ts";

// --- types ---

type Call = (...args: (number | bigint)[]) => number | bigint;

interface NodeFfi {
  dlopen(
    library: string,
    definitions: Record<string, { return: string; arguments: string[] }>,
  ): { functions: Record<string, Call> };
  getRawPointer(buffer: ArrayBufferLike): bigint;
  toArrayBuffer(address: bigint, length: number, copy: boolean): ArrayBuffer;
}

interface Koffi {
  load(library: string): {
    func(name: string, result: string, parameters: string[]): Call & {
      async(...args: unknown[]): void;
    };
  };
  address(view: ArrayBufferView): bigint;
  view(address: bigint, length: number): ArrayBuffer;
}

interface Require {
  (id: string): unknown;
  resolve(id: string): string;
}

interface NodeProcess {
  platform: string;
  arch: string;
  argv: string[];
  emitWarning: unknown;
  cwd(): string;
  getBuiltinModule(name: string): unknown;
}

const scope = globalThis as unknown as { process: NodeProcess };

// --- node:ffi ---

const NODE_TYPES = { i32: "int32", usize: "uint64", isize: "int64" };

/** Node's own interface, where the program may use it. */
function byNodeFfi(): Libc | undefined {
  const { process } = scope;
  // Loading it warns that it is experimental. Whoever makes a shared array
  // has not asked for it, and cannot do anything about it.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  let ffi: NodeFfi | undefined;
  try {
    ffi = process.getBuiltinModule("node:ffi") as NodeFfi | undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
  if (!ffi) return undefined;
  const { dlopen, getRawPointer, toArrayBuffer } = ffi;
  const definitions = bindEach((_name, { result, parameters }) => ({
    return: NODE_TYPES[result],
    arguments: parameters.map((type) => NODE_TYPES[type]),
  }));
  const { functions } = openFirst((library) => dlopen(library, definitions));
  return {
    arch: process.arch,
    call: bindEach((name, { parameters }) => {
      const call = functions[name]!;
      return (...args) =>
        Number(
          call(...args.map((value, index) =>
            parameters[index] === "i32" ? value : BigInt(value)
          )),
        );
    }),
    addressOf: (buffer) => Number(getRawPointer(buffer)),
    bufferAt: (address, length) =>
      toArrayBuffer(BigInt(address), length, false),
  };
}

// --- koffi ---

const KOFFI_TYPES = { i32: "int32_t", usize: "uint64_t", isize: "int64_t" };

/** The package koffi, in the file at `path`. */
function byKoffi(path: string): Libc {
  const koffi = requireFrom(path)(path) as Koffi;
  return openFirst((name) => {
    const library = koffi.load(name);
    const functions = bindEach((name, { result, parameters }) =>
      library.func(
        name,
        KOFFI_TYPES[result],
        parameters.map((type) => KOFFI_TYPES[type]),
      )
    );
    return {
      arch: scope.process.arch,
      call: bindEach((name) => (...args) => Number(functions[name](...args))),
      syscallAsync: (...args) =>
        new Promise((resolve, reject) =>
          functions.syscall.async(
            ...args,
            (error: unknown, result: number) =>
              error ? reject(error) : resolve(Number(result)),
          )
        ),
      // Before Node 24 it knows shared memory by its views only.
      addressOf: (buffer) => Number(koffi.address(new Uint8Array(buffer))),
      bufferAt: (address, length) => koffi.view(BigInt(address), length),
    };
  });
}

function requireFrom(place: string): Require {
  const { createRequire } = scope.process.getBuiltinModule("node:module") as {
    createRequire(place: string): Require;
  };
  return createRequire(place);
}

/** The file of koffi, as this library or the program would find it. */
function findKoffi(): string | undefined {
  const places = [
    import.meta.url,
    `${scope.process.cwd()}/index.js`,
    scope.process.argv[1],
  ];
  for (const place of places) {
    try {
      if (place) return requireFrom(place).resolve("koffi");
    } catch {
      // Not there, or no place where anything could be.
    }
  }
  return undefined;
}

// --- both ---

let koffiPath: string | undefined;

/** The file of the package that the library is bound by, if there is one. */
export function nodeModulePath(): string | undefined {
  return koffiPath;
}

/** Names the package's file to a thread or process that cannot find it. */
export function useNodeModulePath(path: string): void {
  koffiPath = path;
}

/** Binds the C library on Node, or throws the reason why it cannot. */
export function nodeLibc(): Libc {
  let refusal: Error | undefined;
  try {
    const libc = byNodeFfi();
    if (libc) return libc;
  } catch (error) {
    // The program may use addons where it may not use the interface.
    const isDenied = (error as { code?: string }).code === "ERR_ACCESS_DENIED";
    refusal = isDenied
      ? new Error("it needs the permission --allow-ffi")
      : error as Error;
  }
  koffiPath ??= findKoffi();
  if (koffiPath === undefined) {
    throw refusal ?? new Error(
      "it needs Node 26.9 or newer, or the package koffi (npm install koffi)",
    );
  }
  try {
    return byKoffi(koffiPath);
  } catch (error) {
    throw refusal ??
      new Error(`koffi cannot be loaded: ${(error as Error).message}`);
  }
}

/** Whether this is a system whose C library is known. */
export const isNodeOnLinux = (): boolean => scope.process.platform === "linux";
