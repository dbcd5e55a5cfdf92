/**
 * Values that an editor told of and that come back to it. One may come back when more has been typed already:
 * taking it for a value from outside would throw away what was typed since.
 */

/** One that did not come back for so long will not: it was overtaken. */
const OVERTAKEN_MS = 3_000;

export class Echoes {
  #told: { value: string; at: number }[] = [];

  /** The editor has told of a value. */
  tell(value: string, nowMs: number): void {
    this.#told.push({ value, at: nowMs });
  }

  /** Whether a value that comes is one that was told. What was told before it comes no more. */
  take(value: string, nowMs: number): boolean {
    const waiting = this.#told.filter((each) => nowMs - each.at <= OVERTAKEN_MS);
    const index = waiting.findIndex((each) => each.value === value);
    this.#told = index < 0 ? [] : waiting.slice(index + 1);
    return index >= 0;
  }
}
