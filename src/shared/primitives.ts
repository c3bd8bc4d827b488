/**
 * All that can be sent and stays the same. A worker must know them, whatever
 * it is sent first.
 *
 * @module
 */

import "../managed/list.ts";
import "../managed/map.ts";
import "./lock.ts";
import "./rlock.ts";
