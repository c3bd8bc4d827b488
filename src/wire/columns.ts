import { BoundedMap } from "../functions/bounded_map.ts";
import { canClone } from "./plain.ts";

/**
 * A list of records, all with the same properties, column by column: a third
 * of the cost of as many objects.
 */
export interface Columns {
  keys: readonly string[];
  /** The values of each property, from the first record to the last. */
  columns: readonly Column[];
}

/** Primitive values: integers and numbers in a buffer, short strings as one. */
type Column = Int32Array | Float64Array | Joined | readonly unknown[];

interface Joined {
  text: string;
  lengths: Uint8Array;
}

/** Fewer records than these are not worth a look. */
const MIN_RECORDS = 16;

/** Records with more properties are not worth it either. */
const MAX_KEYS = 64;

type Row = Record<string, unknown>;

/**
 * The columns of a list that has nothing but records as structured clone
 * makes them: plain objects with the same properties in the same order, and
 * no other values in them than primitives. Else undefined. What a getter
 * throws is thrown.
 */
export function packColumns(
  list: ArrayLike<unknown>,
): Columns | undefined {
  if (list.length < MIN_RECORDS || !isRecord(list[0])) return undefined;
  const rows = list as ArrayLike<Row>;
  const keys = Object.keys(rows[0]!);
  if (keys.length === 0 || keys.length > MAX_KEYS) return undefined;
  // A property of that name would be taken for the prototype.
  if (keys.includes("__proto__") || !haveKeys(list, keys)) return undefined;
  const columns: Column[] = [];
  for (const key of keys) {
    const column = columnOf(rows, key);
    if (column === undefined) return undefined;
    columns.push(column);
  }
  if (!areDistinct(rows, columns)) return undefined;
  // A Proxy cannot be told from its target, but lists of them by their first.
  return canClone(rows[0]) ? { keys, columns } : undefined;
}

/** The list whose columns these are. */
export function unpackColumns({ keys, columns }: Columns): unknown[] {
  return rowMaker(keys)(columns.map(valuesOf));
}

function isRecord(value: unknown): value is Row {
  return typeof value === "object" && value !== null &&
    Object.getPrototypeOf(value) === Object.prototype;
}

function haveKeys(
  list: ArrayLike<unknown>,
  keys: readonly string[],
): list is ArrayLike<Row> {
  const { length } = keys;
  for (let i = 0; i < list.length; i++) {
    const row = list[i];
    if (!isRecord(row)) return false;
    let n = 0;
    // Engines keep what this loop goes through with the shape of an object.
    // Inherited properties would be too many.
    for (const key in row) if (key !== keys[n++]) return false;
    if (n !== length) return false;
  }
  return true;
}

function columnOf(rows: ArrayLike<Row>, key: string): Column | undefined {
  const first = rows[0]![key];
  const column = typeof first === "number"
    ? integers.read(rows, key) ?? numbers.read(rows, key)
    : typeof first === "string"
    ? strings.read(rows, key)
    : undefined;
  return column ?? primitives.read(rows, key);
}

/** The values of one property; undefined when one of them does not fit. */
type Read = (rows: ArrayLike<Row>, key: string) => Column | undefined;

/**
 * Reads properties, each by code of its own: engines keep with the code which
 * records it has seen, and know where in them the property is. The function
 * must make do without what is around it.
 */
class Reader {
  readonly #read: Read;
  readonly #own = new BoundedMap<string, Read>(100);

  constructor(read: Read) {
    this.#read = read;
  }

  read(rows: ArrayLike<Row>, key: string): Column | undefined {
    return this.#own.get(key, () => this.#compile())(rows, key);
  }

  #compile(): Read {
    try {
      const read = new Function(`return ${this.#read}`)() as Read;
      read([], "");
      return read;
    } catch {
      // The program allows no code from strings, or a tool has added to the
      // function what is out of reach there.
      return this.#read;
    }
  }
}

const integers = new Reader((rows, key) => {
  const column = new Int32Array(rows.length);
  for (let i = 0; i < column.length; i++) {
    const value = rows[i]![key];
    if (typeof value !== "number" || (value | 0) !== value) return undefined;
    if (value === 0 && 1 / value < 0) return undefined;
    column[i] = value;
  }
  return column;
});

const numbers = new Reader((rows, key) => {
  const column = new Float64Array(rows.length);
  for (let i = 0; i < column.length; i++) {
    const value = rows[i]![key];
    if (typeof value !== "number") return undefined;
    column[i] = value;
  }
  return column;
});

/**
 * Strings are joined up to a length of 12. Engines may keep all of a text in
 * memory for the sake of one string in it; shorter ones they copy.
 */
const strings = new Reader((rows, key) => {
  let text = "";
  const lengths = new Uint8Array(rows.length);
  for (let i = 0; i < lengths.length; i++) {
    const value = rows[i]![key];
    if (typeof value !== "string" || value.length > 12) return undefined;
    text += value;
    lengths[i] = value.length;
  }
  return { text, lengths };
});

const primitives = new Reader((rows, key) => {
  const column = new Array<unknown>(rows.length);
  for (let i = 0; i < column.length; i++) {
    const value = rows[i]![key];
    const type = typeof value;
    if (
      type === "object" ? value !== null : type === "function" ||
        type === "symbol"
    ) return undefined;
    column[i] = value;
  }
  return column;
});

/** Whether no record is there twice, which the receiver could tell. */
function areDistinct(
  rows: ArrayLike<Row>,
  columns: readonly Column[],
): boolean {
  return columns.some(isAscending) ||
    new Set(rows as Row[]).size === rows.length;
}

/** Whether it holds numbers of which each is larger than the one before. */
function isAscending(column: Column): boolean {
  if (!ArrayBuffer.isView(column)) return false;
  for (let i = 1; i < column.length; i++) {
    if (!(column[i]! > column[i - 1]!)) return false;
  }
  return true;
}

function valuesOf(column: Column): ArrayLike<unknown> {
  if (!("text" in column)) return column;
  const { text, lengths } = column;
  const values = new Array<string>(lengths.length);
  let start = 0;
  for (let i = 0; i < lengths.length; i++) {
    const end = start + lengths[i]!;
    values[i] = text.slice(start, end);
    start = end;
  }
  return values;
}

type RowMaker = (columns: readonly ArrayLike<unknown>[]) => Row[];

const rowMakers = new BoundedMap<string, RowMaker>(100);

function rowMaker(keys: readonly string[]): RowMaker {
  return rowMakers.get(JSON.stringify(keys), () => createRowMaker(keys));
}

/** Objects are made in a tenth of the time where their shape is in the code. */
function createRowMaker(keys: readonly string[]): RowMaker {
  const names = keys.map((_, i) => `column${i}`);
  const fields = keys.map((key, i) => `${JSON.stringify(key)}: ${names[i]}[i]`);
  try {
    return new Function(
      `[${names}]`,
      `const { length } = column0;
      const rows = new Array(length);
      for (let i = 0; i < length; i++) rows[i] = { ${fields} };
      return rows;`,
    ) as RowMaker;
  } catch {
    // The program allows no code from strings.
    return (columns) => makeRows(keys, columns);
  }
}

function makeRows(
  keys: readonly string[],
  columns: readonly ArrayLike<unknown>[],
): Row[] {
  return Array.from({ length: columns[0]!.length }, (_, i) => {
    const row: Row = {};
    for (const [k, key] of keys.entries()) row[key] = columns[k]![i];
    return row;
  });
}
