import { clock } from "../runtime/detect.ts";
import { baseOfSource, isSource } from "./source_name.ts";

// deno-lint-ignore ban-types
type Callable = Function;

/** Who called a public function of this library. */
export interface Caller {
  /**
   * URL of the module with the call; `undefined` where there is none, as for
   * evaluated code.
   */
  readonly url: string | undefined;
  /** The stack from the call on: lines as in an error's stack, no heading. */
  readonly frames: string;
}

interface CallSite {
  getFileName(): string | null | undefined;
  getFunctionName(): string | null | undefined;
  getScriptNameOrSourceURL?(): string | null | undefined;
}

type Formatter = (error: unknown, sites: CallSite[]) => unknown;

/** The stack functions that V8 and JavaScriptCore have in common. */
interface Stacks {
  captureStackTrace(holder: object, above?: Callable): void;
  prepareStackTrace?: Formatter | undefined;
  stackTraceLimit?: number;
}

const stacks = Error as unknown as Stacks;

/** Frames enough for those of this library and the caller. */
const FRAMES_NEEDED = 8;

/**
 * Takes note of the stack, for little: V8 and JavaScriptCore make text of it
 * when it is first read.
 *
 * JavaScriptCore drops the frame of a function that calls in tail position
 * (`return pool.map(…)`, not in an async function): its caller is found
 * instead. So `publicFunction` itself must not call this, nor what does, in
 * tail position.
 *
 * @param publicFunction The function that the user called, which must be on
 * the stack.
 */
export function captureCaller(publicFunction: Callable): Caller {
  const limit = stacks.stackTraceLimit;
  if (typeof limit === "number" && limit >= FRAMES_NEEDED) {
    return capture(publicFunction);
  }
  try {
    stacks.stackTraceLimit = FRAMES_NEEDED;
    return capture(publicFunction);
  } catch {
    // The user may have frozen `Error`.
    return { url: undefined, frames: "" };
  } finally {
    Reflect.set(stacks, "stackTraceLimit", limit);
  }
}

/** Calls of a function that are told apart before others share a stack. */
const EXACT_CALLS = 8;

/** How long further calls share the stack of the last of them, in ms. */
const SHARING_INTERVAL = 1;

/** After so many ms without a call the loop has ended. */
const LULL = 2 * SHARING_INTERVAL;

/**
 * Who called with one function last. To take note of a stack costs V8 several
 * microseconds, as much as all else of a call: where a function is handed in
 * more often than a few times a millisecond, which means in a loop, further
 * calls share a stack.
 */
export class RecentCaller {
  // A stack refers to the functions in it and to all that they can see, such
  // as the pool, which this must not keep. Whoever waits for a call keeps it.
  #caller: WeakRef<Caller> | undefined;
  #exactCalls = 0;
  #since = -Infinity;

  /** Whether calls that follow soon share the stack of the last one. */
  get isShared(): boolean {
    return this.#exactCalls === EXACT_CALLS;
  }

  /** As {@linkcode captureCaller}. */
  capture(publicFunction: Callable): Caller {
    const now = clock.now();
    if (now - this.#since > SHARING_INTERVAL) {
      // Where the loop still goes on, one call tells as much as several.
      const goesOn = this.isShared && now - this.#since < LULL;
      this.#exactCalls = goesOn ? EXACT_CALLS - 1 : 0;
      this.#since = now;
    }
    if (this.#exactCalls === EXACT_CALLS) {
      const recent = this.#caller!.deref();
      if (recent) return recent;
    } else this.#exactCalls++;
    const caller = captureCaller(publicFunction);
    if (this.#exactCalls === EXACT_CALLS) this.#caller = new WeakRef(caller);
    return caller;
  }
}

function capture(publicFunction: Callable): Caller {
  formatsAtOnce ??= detectFormatsAtOnce();
  if (formatsAtOnce) {
    return new LazyCaller(new Error(), publicFunction.name);
  }
  const holder: { stack?: unknown } = {};
  stacks.captureStackTrace(holder, publicFunction);
  return new LazyCaller(holder, undefined);
}

/** Whether `captureStackTrace()` makes text at once, as JavaScriptCore does. */
let formatsAtOnce: boolean | undefined;

function detectFormatsAtOnce(): boolean {
  let called = false;
  withFormatter(() => {
    called = true;
  }, () => stacks.captureStackTrace({}));
  return called;
}

/**
 * Runs `action` with a formatter of stacks in place of the present one, if it can
 * be replaced: the user may have frozen `Error`.
 */
function withFormatter(formatter: Formatter, action: () => void): void {
  const isOwn = Object.hasOwn(stacks, "prepareStackTrace");
  const before = stacks.prepareStackTrace;
  if (!Reflect.set(stacks, "prepareStackTrace", formatter)) return action();
  try {
    action();
  } finally {
    // By assignment: on Bun a definition cuts the property off its effect.
    if (isOwn) stacks.prepareStackTrace = before;
    else delete stacks.prepareStackTrace;
  }
}

class LazyCaller implements Caller {
  #holder: { stack?: unknown } | undefined;
  /** The public function's name, if its frame is in the stack too. */
  readonly #above: string | undefined;
  #url: string | undefined;
  #frames = "";

  constructor(holder: { stack?: unknown }, above: string | undefined) {
    this.#holder = holder;
    this.#above = above;
  }

  get url(): string | undefined {
    this.#read();
    return this.#url;
  }

  get frames(): string {
    this.#read();
    return this.#frames;
  }

  #read(): void {
    const holder = this.#holder;
    if (!holder) return;
    this.#holder = undefined;
    const before = stacks.prepareStackTrace;
    let text: unknown;
    let isFormatted = false;
    withFormatter((error, sites) => {
      isFormatted = true;
      const callers = this.#dropOwn(sites, (site) => site.getFunctionName());
      this.#url = urlOf(callers.flatMap(scriptsOf));
      this.#frames = textOf(callers, error, before);
    }, () => text = Reflect.get(holder, "stack"));
    if (isFormatted || typeof text !== "string") return;
    // JavaScriptCore makes the text when it frees code that is in the stack.
    const lines = text.split("\n").filter((line) => FRAME.test(line));
    const callers = this.#dropOwn(lines, (line) => FRAME.exec(line)![1]);
    this.#url = urlOf(callers.map((line) => FRAME.exec(line)![2]));
    this.#frames = shorten(callers.join("\n"));
  }

  /** The frames above that of the public function, which may be there too. */
  #dropOwn<T>(frames: T[], nameOf: (frame: T) => unknown): T[] {
    if (this.#above === undefined) return frames;
    const own = frames.findIndex((frame) => nameOf(frame) === this.#above);
    return frames.slice(own + 1);
  }
}

/** A frame in a text: the function's name if it has one, and the script. */
const FRAME = /^ +at (?:(?:.* )?(\S+) \()?(.*?)(?::\d+){0,2}\)?$/;

function scriptsOf(site: CallSite): (string | null | undefined)[] {
  // Deno applies source maps to the second, which a bundle may lack; a
  // comment in the file may have changed the first.
  return [site.getScriptNameOrSourceURL?.(), site.getFileName()];
}

function urlOf(scripts: (string | null | undefined)[]): string | undefined {
  for (const script of scripts) {
    if (!script) continue;
    if (isSource(script)) return baseOfSource(script);
    const url = urlOfScript(script);
    if (url) return url;
  }
  return undefined;
}

/** The stack as text, by the formatter of the runtime, which knows its maps. */
function textOf(
  sites: CallSite[],
  error: unknown,
  formatter: Formatter | undefined,
): string {
  let text: unknown;
  try {
    text = formatter?.call(Error, error, sites);
  } catch {
    // A formatter of the user's.
  }
  if (typeof text !== "string") {
    text = sites.map((site) => `    at ${site}`).join("\n");
  }
  return shorten((text as string).replace(/^[^]*?(?=^ +at )/m, ""));
}

/** Takes out the URLs of workers, which hold a whole program. */
function shorten(text: string): string {
  return text.replace(/\bdata:[\w/;=+-]+,[^\s:)]+/g, "data:…");
}

/** What programs without a file are called: they cannot be imported. */
const NO_FILE = /\/(?:\[eval\d*\]|\[stdin\]|\$deno\$\w+\.\w+)$/;

/** The URL of a module that can be imported, from what a frame calls it. */
export function urlOfScript(name: string): string | undefined {
  if (NO_FILE.test(name)) return undefined;
  // Not data: or blob: URLs: workers, this library's too, start from those.
  if (/^(?:file|https?):/.test(name)) return name;
  return /^(?:\/|\\\\|[A-Za-z]:[/\\])/.test(name) ? fileUrl(name) : undefined;
}

/** The URL of an absolute path, of Windows too. */
function fileUrl(path: string): string {
  const slashed = path.startsWith("/") ? path : path.replaceAll("\\", "/");
  // What a URL would read as something else than part of a name.
  const escaped = slashed.replace(/[%\\\n\r\t?#]/g, encodeURIComponent);
  const start = path.startsWith("\\") ? "file:" : "file://";
  return new URL(escaped.replace(/^(?=[A-Za-z]:)/, "/"), start).href;
}
