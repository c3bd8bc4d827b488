import { type Carrier, threadCarrier } from "./carrier.ts";
import { Copier } from "./copy.ts";
import { recordMessage } from "./error_record.ts";
import { type Packed, packedBy, unpack } from "./values.ts";

/** What was thrown, as structured clone carries it. */
export type PackedError = Packed;

/**
 * Makes of a thrown value what can be sent: errors with all that belongs to
 * them, other values as they are, or else an error that describes them. Never
 * throws.
 */
export function packError(
  thrown: unknown,
  carrier?: Carrier,
): PackedError {
  const message = "A value that cannot be sent was thrown";
  try {
    // Who sends an error has nothing to move with it.
    const copier = new Copier({
      ...carrier ?? threadCarrier,
      transfers: false,
    });
    return packedBy(copier, copier.copyOrDescribe(thrown, message));
  } catch {
    const record = recordMessage(message);
    return { value: record, records: [record] };
  }
}

/**
 * What was thrown, to be thrown again; or else why it cannot be had, as memory
 * in it went with its worker.
 */
export function unpackError(packed: PackedError): unknown {
  try {
    return unpack(packed);
  } catch (error) {
    return error;
  }
}
