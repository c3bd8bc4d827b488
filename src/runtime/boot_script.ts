/**
 * How a worker evaluates an expression of its program. Where Node is to
 * generate no code from strings, `eval()` is refused, and modules are not.
 */
const EVALUATE = `(text)=>{
  try{return(0,eval)(text)}catch(error){
    if(!(error instanceof EvalError))throw error;
    const Module=process.getBuiltinModule("node:module");
    const path=process.cwd()+"/[eval]";
    const module=new Module(path);
    module.filename=path;
    module._compile("module.exports="+text,path,"commonjs");
    return module.exports
  }
}`;

/** How a worker runs its program, which is its first message. */
const RUN = `([script,...texts])=>{const evaluate=${EVALUATE};` +
  "evaluate(script)(texts.map((text)=>()=>evaluate(text)))}";

/** What the program of a worker is called in stacks. */
export const WORKER_SCRIPT = "polypool:worker";

/**
 * The program of a worker of the web's kind until its real one comes as the
 * first message: a script to evaluate, which listens when it has run. It does
 * not come as the URL of a module, as a long URL takes runtimes longer to load
 * than all else.
 */
export const webBootScript: string =
  `addEventListener("message",({data})=>(${RUN})(data),{once:true})`;

/** The same for a worker of Node's. */
export const nodeBootScript: string =
  `process.getBuiltinModule("node:worker_threads").parentPort` +
  `.once("message",${RUN})`;

/** What a child process has its channel on `globalThis` by. */
export const CHANNEL = "polypool.channel";

/** Whether this is a process that a pool has started. */
export const isPoolProcess = (): boolean => Symbol.for(CHANNEL) in globalThis;

/** What a process has in its environment until its boot script runs. */
export const STARTING = "POLYPOOL_PROCESS";

/** Global variables that hold a module and are there in each program. */
const ALWAYS_GLOBAL = "console|crypto|process";

/**
 * Whether this is a process of a pool that runs modules which flags name, and
 * has not come to its program.
 */
export const isStarting = (
  env: Record<string, string | undefined>,
): boolean => env[STARTING] !== undefined;

/** How often a process looks whether its owner lives, in ms. */
const LOOK_INTERVAL = 1000;

/**
 * The same for a child process, which ends with its owner: a closed channel
 * alone is not always heard of. Plain text, as it is handed over on the
 * command line.
 */
export const bootScript = (ownerPid: number): string =>
  `{
  const { exit } = process;
  const look = () => {
    if (process.ppid !== ${ownerPid}) exit(1);
  };
  look();
  setInterval(look, ${LOOK_INTERVAL});
  process.on("disconnect", () => exit());
  let receive = ${RUN};
  process.on("message", (message) => receive(message));
  const send = process.send.bind(process);
  // The owner tells what is not bytes as words of user code, and drops it.
  process.send = (message, ...rest) => send([message], ...rest);
  Object.defineProperty(globalThis, Symbol.for("${CHANNEL}"), {
    value: {
      send,
      listen(listener) {
        receive = listener;
      },
      look,
      exit: exit.bind(process),
    },
  });
}`;

/**
 * The same for a runtime's `--eval`, as a script or as a module: modules that
 * flags name have run before, and the runtime has made its own modules
 * variables. To look at those would load them.
 */
export const evaluatedBootScript = (ownerPid: number): string =>
  `{
  delete process.env.${STARTING};
  const { builtinModules } = process.getBuiltinModule("node:module");
  const variables = builtinModules.map((name) => name.replace(/^bun:/, ""));
  variables.push("exports", "require", "__filename", "__dirname");
  // Node sets one of them once more after the script.
  queueMicrotask(() => {
    for (const name of variables) {
      if (/^(?:${ALWAYS_GLOBAL})$/.test(name)) continue;
      Reflect.deleteProperty(globalThis, name);
    }
  });
}${bootScript(ownerPid)}`;
