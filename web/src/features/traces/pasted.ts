/** What a pasted text names, if it is the identifier of a trace and nothing else. */

export interface PastedTrace {
  trace: string;
  span: string | null;
}

/** Identifiers of 64 or 128 bits; some systems leave out zeros in front, which are then seldom more than two digits. */
const ID = /^(?:[0-9a-f]{14,16}|[0-9a-f]{30,32})$/;
/** `traceparent` of W3C. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
/** The single header of B3. */
const B3 = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-[01d](?:-[0-9a-f]{16})?)?$/;
/** Longer texts are something else. */
const CHARACTERS_MAX = 200;

/** The trace that a text names as people copy it: bare, quoted, or as the header in which services hand it on. */
export function pastedTrace(text: string): PastedTrace | null {
  if (text.length > CHARACTERS_MAX) return null;
  const bare = text.trim().replace(/^["'`]+|["'`,;]+$/g, "").toLowerCase();
  const header = TRACEPARENT.exec(bare) ?? B3.exec(bare);
  if (header?.[1] !== undefined) return { trace: header[1], span: header[2] ?? null };
  // A number of so many digits is a time.
  return ID.test(bare) && /[a-f]/.test(bare) ? { trace: bare, span: null } : null;
}
