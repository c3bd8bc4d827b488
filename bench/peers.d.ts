// As much of the peers' types as is used here, so that types can be checked
// where the peers are not installed.

declare module "tinypool" {
  export class Tinypool {
    constructor(options: object);
    run(argument: unknown, options: object): Promise<unknown>;
    destroy(): Promise<void>;
  }
}

declare module "workerpool" {
  interface Pool {
    exec(name: string, args: unknown[], options: object): Promise<unknown>;
    terminate(): Promise<unknown>;
  }
  const workerpool: {
    pool(file: string, options: object): Pool;
    worker(tasks: object): void;
  };
  export default workerpool;
}

declare module "poolifier" {
  export class FixedThreadPool {
    constructor(workers: number, file: string, options?: object);
    execute(
      argument: unknown,
      name: string,
      transfer?: ArrayBuffer[],
    ): Promise<unknown>;
    destroy(): Promise<void>;
  }
  export class ThreadWorker {
    constructor(tasks: object);
  }
}

declare module "jest-worker" {
  export class Worker {
    constructor(file: string, options: object);
    [task: string]: (argument: unknown) => Promise<unknown>;
  }
}

declare module "threads" {
  type Tasks = Record<string, (argument: unknown) => Promise<unknown>>;
  export class Worker {
    constructor(file: string);
  }
  export function spawn(worker: Worker): Promise<Tasks>;
  export function Pool(start: () => Promise<Tasks>, size: number): {
    queue(task: (worker: Tasks) => Promise<unknown>): Promise<unknown>;
    terminate(force?: boolean): Promise<void>;
  };
}

declare module "threads/worker" {
  export function expose(tasks: object): void;
}
