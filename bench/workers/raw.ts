/** The worker of the controls: `node:worker_threads` on Node, else a Web Worker. */
import process from "node:process";
import * as tasks from "./tasks.ts";

interface Port {
  postMessage(message: unknown, transfer?: ArrayBuffer[]): void;
}

/** `[id, task, argument, transfer the result]` */
export type RawCall = [
  id: number,
  task: keyof typeof tasks,
  argument: unknown,
  transfer: boolean,
];

function answer(port: Port, message: number | RawCall): void {
  // The cheapest call there is: a number there and a number back.
  if (typeof message === "number") return port.postMessage(message + 1);
  const [id, name, argument, transfer] = message;
  // Not called directly: V8's Maglev would compile a small task into this
  // function, where its loop stays slow, as nothing replaces the code it is in.
  const result = Reflect.apply(tasks[name], undefined, [argument]);
  port.postMessage(
    [id, result],
    transfer ? [(result as { buffer: ArrayBuffer }).buffer] : [],
  );
}

if ("Deno" in globalThis || "Bun" in globalThis) {
  const port = globalThis as unknown as Port & {
    onmessage: (event: { data: RawCall }) => void;
  };
  port.onmessage = ({ data }) => answer(port, data);
} else {
  const threads = process.getBuiltinModule("node:worker_threads");
  const port = threads.parentPort! as unknown as Port & {
    on(event: "message", listener: (message: RawCall) => void): void;
  };
  port.on("message", (message) => answer(port, message));
}
