/**
 * What a program and its fork server say to each other. What the program and
 * a worker say goes through the server as bytes that it does not read.
 *
 * @module
 */

import type { WorkerEnd } from "../runtime/contract.ts";
import type { PreparedSetup } from "./messages.ts";

/** What a spare process is made for. */
export interface SpareSetup extends PreparedSetup {
  /** The most that its heap may take, in MiB. */
  memoryLimit: number | undefined;
}

// Program to server.
export const TAKE = 0;
export const TO = 1;
export const RELEASE = 2;
export const KILL = 3;

/** A message to the server. */
export type ToServer =
  /** A spare becomes the worker `id`. */
  | [typeof TAKE, id: number, SpareSetup]
  | [typeof TO, id: number, Uint8Array]
  /** The worker has been told to end, and gets so many ms for it. */
  | [typeof RELEASE, id: number, grace: number]
  | [typeof KILL, id: number];

// Server to program.
export const FROM = 0;
export const GONE = 1;

/** A message from the server. */
export type FromServer =
  | [typeof FROM, id: number, Uint8Array]
  /** The worker has ended; with how, unless that was asked for. */
  | [typeof GONE, id: number, WorkerEnd | undefined];
