import { bindEach, type Libc, openFirst } from "./libc.ts";

type Call = (...args: number[]) => number | bigint;

interface Definition {
  name?: string;
  result: string;
  parameters: readonly string[];
  nonblocking?: boolean;
}

interface DenoFfi {
  build: { os: string; arch: string };
  permissions: { querySync(permission: { name: "ffi" }): { state: string } };
  dlopen(
    library: string,
    definitions: Record<string, Definition>,
  ): { symbols: Record<string, Call> };
  UnsafePointer: {
    of(view: ArrayBufferView): unknown;
    create(address: bigint): unknown;
    value(pointer: unknown): bigint;
  };
  UnsafePointerView: {
    getArrayBuffer(pointer: unknown, length: number): ArrayBuffer;
  };
}

const scope = globalThis as unknown as { Deno: DenoFfi };

const ARCHS: Record<string, string> = { x86_64: "x64", aarch64: "arm64" };

/** Binds the C library on Deno, or throws the reason why it cannot. */
export function denoLibc(): Libc {
  const { Deno } = scope;
  // Asked first, as opening a library would prompt the user.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    throw new Error("it needs the permission --allow-ffi");
  }
  const blocking = bindEach<Definition>((_name, signature) => signature);
  const definitions = {
    ...blocking,
    syscallAsync: { ...blocking.syscall, name: "syscall", nonblocking: true },
  };
  const { symbols } = openFirst((library) => Deno.dlopen(library, definitions));
  const { UnsafePointer, UnsafePointerView } = Deno;
  return {
    arch: ARCHS[Deno.build.arch] ?? Deno.build.arch,
    call: bindEach((name) => {
      const call = symbols[name]!;
      return (...args) => Number(call(...args));
    }),
    syscallAsync: async (...args) =>
      Number(await symbols.syscallAsync!(...args)),
    addressOf: (buffer) =>
      Number(UnsafePointer.value(UnsafePointer.of(new Uint8Array(buffer)))),
    bufferAt: (address, length) =>
      UnsafePointerView.getArrayBuffer(
        UnsafePointer.create(BigInt(address)),
        length,
      ),
  };
}

/** Whether this is a system whose C library is known. */
export const isDenoOnLinux = (): boolean => scope.Deno.build.os === "linux";
