/** Where a query is wrong. */

export interface Position {
  line: number;
  /** From 1. */
  column: number;
}

/** Where the server says that an expression is wrong: `1:5: parse error: …` or `parse error at line 1, col 5: …`; null when it does not say. */
export function errorPosition(message: string): Position | null {
  const found = /(?:^|\s)(\d+):(\d+):/.exec(message) ?? /\bat line (\d+), col (\d+):/.exec(message);
  return found === null ? null : { line: Number(found[1]), column: Number(found[2]) };
}

/** The line of the expression with a caret below the position; null when the position is outside. */
export function caret(query: string, position: Position): string | null {
  const line = query.split("\n")[position.line - 1];
  if (line === undefined || position.column < 1 || position.column > line.length + 1) return null;
  return `${line}\n${" ".repeat(position.column - 1)}^`;
}
