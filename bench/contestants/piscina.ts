import { workerUrl } from "../core/workload.ts";
import type { Adapter } from "./peer.ts";

/** As much of it as is used; its own types do not pass a strict check. */
interface Library {
  Piscina: new (options: object) => {
    run(argument: unknown, options: object): Promise<unknown>;
    destroy(): Promise<void>;
  };
}

export const piscina: Adapter = async () => {
  const name: string = "piscina";
  const { Piscina }: Library = await import(name);
  return (workers) => {
    const pool = new Piscina({
      filename: workerUrl("tasks").href,
      minThreads: workers,
      maxThreads: workers,
    });
    return {
      call: (name, argument) => pool.run(argument, { name }),
      close: () => pool.destroy(),
    };
  };
};
