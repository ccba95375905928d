/** The show that this page plays: one connection for its values, one for its pictures and lists. */

import { Connection } from "./net/connection.js";
import { Live } from "./net/live.js";

const origin = new URL(location.origin);

export const link = new Connection(origin);
export const live = new Live(origin);
