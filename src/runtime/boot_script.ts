/** What the program of a worker is called in stacks. */
export const WORKER_SCRIPT = "polypool:worker";

/**
 * The program of a worker of the web's kind until its real one comes as the
 * first message: a script to evaluate, which listens when it has run. It does
 * not come as the URL of a module, as a long URL takes runtimes longer to load
 * than all else.
 */
export const webBootScript: string =
  `onmessage=({data})=>{onmessage=null;(0,eval)(data)}`;

/** The same for a worker of Node's. */
export const nodeBootScript: string =
  `process.getBuiltinModule("node:worker_threads").parentPort` +
  `.once("message",(data)=>(0,eval)(data))`;

/**
 * The same for a child process. Plain text, as it is handed over on the
 * command line.
 */
export const bootScript: string = `{
  let receive = (script) => (0, eval)(script);
  process.on("message", (message) => receive(message));
  const { exit } = process;
  process.on("disconnect", () => exit());
  const send = process.send.bind(process);
  Object.defineProperty(globalThis, Symbol.for("polypool.channel"), {
    value: {
      send,
      listen(listener) {
        receive = listener;
      },
      exit: exit.bind(process),
    },
  });
}`;
