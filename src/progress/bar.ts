import { type ProgressHost, runtimeHost } from "./host.ts";
import { ProgressMeter } from "./meter.ts";
import type { ProgressBarOptions } from "./options.ts";
import { type BarPlace, LogPlace } from "./place.ts";
import { type BarTexts, renderBar } from "./render.ts";
import { Screen } from "./screen.ts";
import { type ProgressStream, terminalOf } from "./terminal.ts";

/** How a call ended. */
export type ProgressOutcome =
  /** All tasks are done: the bar shows 100 %. */
  | "finished"
  /** The bar stays where it is, and says so. */
  | "failed"
  /** The bar stays where it is: somebody has cancelled the call. */
  | "stopped";

/** Milliseconds after which a bar in a terminal shows the time that passed. */
const REFRESH_INTERVAL = 500;
/** The longest that timers can wait. */
const MAX_DELAY = 2 ** 31 - 1;

const screens = new WeakMap<ProgressStream, Screen>();

function findPlace(
  stream: ProgressStream,
  position: number | undefined,
  host: ProgressHost,
): BarPlace {
  let screen = screens.get(stream);
  if (screen === undefined) {
    const terminal = terminalOf(stream);
    if (!terminal.isTerminal) return new LogPlace(terminal, () => host.now());
    screen = new Screen(terminal, (callback) => host.atExit(callback));
    screens.set(stream, screen);
  }
  return screen.open(position);
}

/** The text of a bar whose call has failed. */
function asFailed(desc = ""): string {
  return desc === "" ? "failed" : `${desc.replace(/: $/, "")} (failed)`;
}

/** A progress bar that looks like tqdm's. */
export class ProgressBar {
  readonly #meter: ProgressMeter;
  readonly #place: BarPlace;
  readonly #leave: boolean;
  readonly #texts: BarTexts;
  readonly #stopRefresh: (() => void) | undefined;
  #isOpen = true;

  /**
   * Shows a bar that stands at 0.
   *
   * @param options Checked options.
   * @param total The number of tasks, if known; better than that of the options.
   * @param host The world of the bar; tests give another.
   */
  constructor(
    options: ProgressBarOptions,
    total: number | undefined,
    host: ProgressHost = runtimeHost(),
  ) {
    const { desc, unit, position, leave = true, mininterval = 100 } = options;
    this.#texts = { desc, unit };
    this.#leave = leave;
    this.#meter = new ProgressMeter(
      total ?? options.total,
      mininterval,
      () => host.now(),
    );
    this.#place = findPlace(options.stream ?? host.stream, position, host);
    this.#draw();
    if (!this.#place.isLive) return;
    const interval = Math.max(REFRESH_INTERVAL, mininterval);
    this.#stopRefresh = host.every(
      Math.min(interval, MAX_DELAY),
      () => this.#draw(),
    );
  }

  /** Takes the number of finished tasks, and shows it when it is time to. */
  update(completed: number): void {
    if (this.#isOpen && this.#meter.update(completed)) this.#draw();
  }

  /** Takes the number of tasks, once it is known. */
  setTotal(total: number): void {
    if (!this.#isOpen) return;
    this.#meter.setTotal(total);
    this.#draw();
  }

  /** Shows how the call ended, or nothing if the bar is not to be left. */
  close(outcome: ProgressOutcome): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stopRefresh?.();
    this.#meter.end(outcome === "finished");
    if (outcome === "failed") this.#texts.desc = asFailed(this.#texts.desc);
    this.#place.close(this.#leave ? this.#render() : "");
  }

  #draw(): void {
    this.#place.draw(this.#render());
  }

  #render(): string {
    return renderBar(
      this.#meter.progress(),
      this.#texts,
      this.#place.columns(),
    );
  }
}
