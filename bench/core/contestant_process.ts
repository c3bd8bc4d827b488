import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Runtime } from "../../tests/support/runtimes.ts";
import { type Answer, MARK } from "./protocol.ts";

/** A contestant that hung, crashed or was wrong. */
export class Disqualified extends Error {
  override name = "Disqualified";
}

/** The process that measures one contestant. */
export class ContestantProcess {
  readonly #child: ChildProcess;
  readonly #limit: number;
  #errors = "";
  #exit: string | undefined;
  #resolve: ((answer: Answer) => void) | undefined;

  constructor(runtime: Runtime, args: string[], limit: number) {
    this.#limit = limit;
    // Built code: no runtime needs help to read it.
    const before = runtime.kind === "deno" ? ["run", "-A", "--no-check"] : [];
    this.#child = spawn(runtime.command, [...before, ...args]);
    this.#child.stderr!.on("data", (data) => this.#errors += data);
    this.#child.stdin!.on("error", () => {});
    this.#child.on("close", (code, signal) => {
      const cause = this.#errors.trim().split("\n").at(-1) ?? "";
      this.#exit = `ended with ${signal ?? `code ${code}`} ${cause}`.trim();
      this.#resolve?.({ error: this.#exit });
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      if (line.startsWith(MARK)) {
        this.#resolve?.(JSON.parse(line.slice(MARK.length)));
      }
    });
  }

  /** Waits until the contestant is ready. */
  ready(): Promise<Answer> {
    return this.#answer(() => {});
  }

  /** Has it run once. */
  go(): Promise<Answer> {
    return this.#answer(() => this.#child.stdin!.write("go\n"));
  }

  async #answer(ask: () => void): Promise<Answer> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = await new Promise<Answer>((resolve) => {
      this.#resolve = resolve;
      if (this.#exit !== undefined) return resolve({ error: this.#exit });
      // It may hang or merely be slow: that cannot be told from here.
      const error = `no answer within ${this.#limit / 1000} s`;
      timer = setTimeout(() => resolve({ error }), this.#limit);
      ask();
    });
    clearTimeout(timer);
    this.#resolve = undefined;
    if ("error" in answer) {
      throw new Disqualified(answer.error.split("\n", 1)[0]);
    }
    return answer;
  }

  async kill(): Promise<void> {
    if (this.#exit !== undefined) return;
    const closed = new Promise((resolve) => this.#child.on("close", resolve));
    this.#child.kill("SIGKILL");
    await closed;
  }
}
