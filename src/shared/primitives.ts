/**
 * All that can be sent and stays the same. A worker must know them, whatever
 * it is sent first.
 *
 * @module
 */

import "./lock.ts";
import "./rlock.ts";
