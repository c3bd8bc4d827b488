interface Status {
  state: "granted" | "prompt" | "denied";
  /** Whether some of it is denied, or not granted. */
  partial?: boolean;
}

/** `Deno.permissions`. */
export interface Permissions {
  querySync(
    descriptor: { name: string; command?: string; path?: string },
  ): Status;
}

const NAMES = ["read", "write", "net", "env", "sys", "run", "ffi", "import"];

/**
 * The flags that give a child process the permissions of this one. Those that
 * are granted in part cannot be asked for one by one: of them the child has
 * none, but to start the runtime itself.
 */
export function permissionFlags(
  permissions: Permissions,
  execPath: string,
): string[] {
  const flags: string[] = [];
  for (const name of NAMES) {
    const { state, partial } = permissions.querySync({ name });
    if (state === "granted" && !partial) flags.push(`--allow-${name}`);
  }
  // Without any such flag, the runtime would add all permissions.
  if (!flags.includes("--allow-run")) flags.push(`--allow-run=${execPath}`);
  return flags;
}
