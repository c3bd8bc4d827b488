/** The task functions of all contestants, each with one argument. */

export const increment = (x: number): number => x + 1;

export const incrementAll = (chunk: number[]): number[] => chunk.map(increment);

export const square = (x: number): number => x * x;

export const squareAll = (chunk: number[]): number[] => chunk.map(square);

export function squareInPlace(chunk: Float64Array): Float64Array {
  for (let i = 0; i < chunk.length; i++) chunk[i]! *= chunk[i]!;
  return chunk;
}

export interface Item {
  a: number;
  b: string;
  c: number;
}

export const shift = ({ a, b, c }: Item): Item => ({ a: a + 1, b, c: c * 2 });

export const shiftAll = (chunk: Item[]): Item[] => chunk.map(shift);

/** The same items, property by property. */
export interface ItemColumns {
  a: Float64Array;
  /** All strings as one, and how long each is. */
  b: string;
  lengths: Uint8Array;
  c: Float64Array;
}

export function toColumns(items: Item[]): ItemColumns {
  const { length } = items;
  const a = new Float64Array(length);
  const lengths = new Uint8Array(length);
  const c = new Float64Array(length);
  let b = "";
  for (let i = 0; i < length; i++) {
    const item = items[i]!;
    a[i] = item.a;
    b += item.b;
    lengths[i] = item.b.length;
    c[i] = item.c;
  }
  return { a, b, lengths, c };
}

export function toItems({ a, b, lengths, c }: ItemColumns): Item[] {
  const items: Item[] = [];
  let start = 0;
  for (let i = 0; i < a.length; i++) {
    const end = start + lengths[i]!;
    items.push({ a: a[i]!, b: b.slice(start, end), c: c[i]! });
    start = end;
  }
  return items;
}

export const shiftColumns = (columns: ItemColumns): ItemColumns =>
  toColumns(toItems(columns).map(shift));

/** Keeps the processor busy; the result depends on each step. */
export function spin(iterations: number): number {
  let x = 1;
  for (let i = 0; i < iterations; i++) x = (Math.imul(x, 48271) + 11) | 0;
  return x;
}

export const spinAll = (steps: number[]): number[] => steps.map(spin);

/** Has the engine compile a function of that text, and call it. */
export const read = (program: string): unknown =>
  ((0, eval)(program) as () => unknown)();

export function touch(array: Float64Array): Float64Array {
  array[0]! += 1;
  return array;
}

export const last = (array: Float64Array): number => array[array.length - 1]!;

export interface Convolution {
  image: Float64Array;
  width: number;
  filter: number[];
}

/** Convolves with a 4 x 4 filter; returns each fifth pixel of each fifth line. */
export function convolve({ image, width, filter }: Convolution): Float64Array {
  const height = image.length / width;
  const filtered = new Float64Array(image.length);
  for (let y = 0; y + 4 <= height; y++) {
    for (let x = 0; x + 4 <= width; x++) {
      let sum = 0;
      for (let i = 0; i < 16; i++) {
        sum += filter[i]! * image[(y + (i >> 2)) * width + x + (i & 3)]!;
      }
      filtered[y * width + x] = sum;
    }
  }
  const small = new Float64Array(Math.ceil(height / 5) * Math.ceil(width / 5));
  let n = 0;
  for (let y = 0; y < height; y += 5) {
    for (let x = 0; x < width; x += 5) small[n++] = filtered[y * width + x]!;
  }
  return small;
}

/** How often words begin with each three letters. */
export type PrefixCounts = Map<string, number>;

export function countPrefixes(text: string): PrefixCounts {
  const counts: PrefixCounts = new Map();
  for (const word of text.split(" ")) {
    const prefix = word.slice(0, 3);
    counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  return counts;
}

/** Takes long, as loading a model does. */
export function loadModel(): Float64Array {
  const model = new Float64Array(1e6);
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < model.length; i++) {
      model[i] = Math.sin(model[i]! + i);
    }
  }
  return model;
}

export function predictWith(model: Float64Array, x: number): number {
  let sum = 0;
  for (let i = 0; i < model.length; i++) sum += model[i]! * ((i + x) & 7);
  return sum;
}

let model: Float64Array | undefined;

/** What one writes where the pool keeps no state: the worker loads once. */
export const predict = (x: number): number =>
  predictWith(model ??= loadModel(), x);

export interface ModelState {
  model: Float64Array;
}

/** polypool's `workerInit`. */
export function keepModel(state: ModelState): void {
  state.model = loadModel();
}

export const predictFromState = ({ model }: ModelState, x: number): number =>
  predictWith(model, x);
