/** Remarks on a text: which part of it they mean. */

export interface Note {
  /** From 1. */
  line: number;
  /** From 1; 0 means the whole line. */
  column: number;
  severity: "error" | "warning";
  message: string;
}

/** The part of a text that a place means: the word there, or the line without what indents it. Always inside of the text. */
export function span(text: string, { line, column }: { line: number; column: number }): { from: number; to: number } {
  const lines = text.split("\n");
  const index = Math.min(Math.max(1, line), lines.length) - 1;
  const begin = lines.slice(0, index).reduce((sum, each) => sum + each.length + 1, 0);
  const own = lines[index] ?? "";
  const indented = own.length - own.trimStart().length;
  if (column <= 0 || column > own.length) return { from: begin + Math.min(indented, own.length), to: begin + own.length };
  const word = /^(?:[\w.$-]+|\s*\S)/.exec(own.slice(column - 1))?.[0] ?? "";
  return { from: begin + column - 1, to: begin + column - 1 + Math.max(1, word.length) };
}
