import { bindEach, type Libc, openFirst } from "./libc.ts";

type Call = (...args: number[]) => number | bigint;

interface BunFfi {
  dlopen(
    library: string,
    definitions: Record<string, { returns: string; args: string[] }>,
  ): { symbols: Record<string, Call> };
  ptr(buffer: ArrayBufferLike): number;
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
}

interface BunProcess {
  versions: { bun: string };
  platform: string;
  arch: string;
  getBuiltinModule(name: string): unknown;
}

const scope = globalThis as unknown as { process: BunProcess };

const TYPES = { i32: "i32", usize: "u64", isize: "i64" };

/** Binds the C library on Bun, or throws the reason why it cannot. */
export function bunLibc(): Libc {
  const { process } = scope;
  const [major, minor] = process.versions.bun.split(".").map(Number);
  // Before, what the engine frees keeps what was laid over it, and is reused.
  if (major! === 1 && minor! < 4) throw new Error("it needs Bun 1.4 or newer");
  const { dlopen, ptr, toArrayBuffer } = process.getBuiltinModule(
    "bun:ffi",
  ) as BunFfi;
  const definitions = bindEach((_name, { result, parameters }) => ({
    returns: TYPES[result],
    args: parameters.map((type) => TYPES[type]),
  }));
  const { symbols } = openFirst((library) => dlopen(library, definitions));
  return {
    arch: process.arch,
    call: bindEach((name) => {
      const call = symbols[name]!;
      return (...args) => Number(call(...args));
    }),
    addressOf: (buffer) => ptr(buffer),
    bufferAt: (address, length) => toArrayBuffer(address, 0, length),
  };
}

/** Whether this is a system whose C library is known. */
export const isBunOnLinux = (): boolean => scope.process.platform === "linux";
