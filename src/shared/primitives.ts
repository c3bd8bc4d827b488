/**
 * All that can be sent and stays the same. A worker must know them, whatever
 * it is sent first.
 *
 * @module
 */

import "../managed/list.ts";
import "../managed/map.ts";
import "./barrier.ts";
import "./condition.ts";
import "./event.ts";
import "./lock.ts";
import "./rlock.ts";
import "./semaphore.ts";
import "./shared_queue.ts";
import "./value.ts";
