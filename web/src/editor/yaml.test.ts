import { highlightTree, tagHighlighter, tags } from "@lezer/highlight";
import { describe, expect, it } from "vitest";
import { span } from "./notes.ts";
import { yaml } from "./yaml.ts";

const CLASSES = tagHighlighter([
  { tag: tags.propertyName, class: "key" },
  { tag: tags.string, class: "text" },
  { tag: tags.number, class: "number" },
  { tag: tags.comment, class: "comment" },
]);

/** What is coloured how, without punctuation. */
function colours(source: string): string[] {
  const found: string[] = [];
  highlightTree(yaml.parser.parse(source), CLASSES, (from, to, name) => found.push(`${name} ${source.slice(from, to).trim()}`));
  return found;
}

describe("yaml", () => {
  it.each<[string, string[]]>([
    ["a: 1", ["key a", "number 1"]],
    ["- alert: Down # why", ["key alert", "comment # why"]],
    ["for: 1h30m", ["key for", "number 1h30m"]],
    ['"odd key": "a: b"', ['key "odd key"', 'text "a: b"']],
    ["expr: up == 0", ["key expr"]],
    ["url: http://x/#y", ["key url"]],
  ])("%s", (source, want) => {
    expect(colours(source)).toEqual(want);
  });
  it("keeps a block of text together, until the next key", () => {
    expect(colours("  expr: |\n    a: 1\n\n    # b\n  for: 5m")).toEqual(["key expr", "text a: 1", "text # b", "key for", "number 5m"]);
    expect(colours("- expr: >-\n    a\n  for: 1s")).toEqual(["key expr", "text a", "key for", "number 1s"]);
  });
});

describe("span", () => {
  it.each<[string, number, number, string]>([
    ["ab: cd ef\n  x", 1, 5, "cd"],
    ["ab: cd ef\n  x", 1, 0, "ab: cd ef"],
    ["ab\n  xy z", 2, 0, "xy z"],
    ["ab\n  xy z", 2, 99, "xy z"],
    ["ab\n  xy", 99, 3, "xy"],
    ["ab\n  xy", 0, 1, "ab"],
    ["a (b", 1, 3, "("],
    ["", 1, 1, ""],
  ])("%j at %i:%i", (text, line, column, want) => {
    const { from, to } = span(text, { line, column });
    expect(text.slice(from, to)).toBe(want);
    expect(to).toBeLessThanOrEqual(text.length);
  });
});
