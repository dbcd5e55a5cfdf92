/** Enough of YAML to colour it: keys, texts, numbers, comments, blocks. It says nothing of what is right. */

import { StreamLanguage, type StreamParser } from "@codemirror/language";

export interface YamlState {
  /** Lines that are further in than this belong to a block of text; -1 outside of one. */
  block: number;
  /** Where the line of the key of the block begins. */
  indent: number;
}

export const YAML: StreamParser<YamlState> = {
  name: "yaml",
  languageData: { commentTokens: { line: "#" } },
  startState: () => ({ block: -1, indent: 0 }),
  copyState: (state) => ({ ...state }),
  token(stream, state) {
    if (stream.sol()) {
      state.indent = stream.indentation();
      if (state.block >= 0) {
        if (stream.indentation() > state.block || /^\s*$/.test(stream.string)) {
          stream.skipToEnd();
          return "string";
        }
        state.block = -1;
      }
    }
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return "comment";
    // An entry of a list moves its keys further in.
    if (stream.match(/^-(?=\s|$)/)) {
      state.indent += 2;
      return "keyword";
    }
    if (stream.match(/^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s:#,[\]{}"'][^:#\n]*?)(?=\s*:(?:\s|$))/)) return "propertyName";
    if (stream.match(/^:(?=\s|$)/)) return "keyword";
    if (stream.match(/^[|>][-+\d]*\s*(?=#|$)/)) {
      state.block = state.indent;
      return "keyword";
    }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^']|'')*'?/)) return "string";
    if (stream.match(/^-?\d+(?:\.\d+)?(?:ms|[smhdwy])?(?:\d+(?:ms|[smhdwy]))*(?=\s|,|\]|\}|$)/)) return "number";
    if (stream.match(/^(?:true|false|null)(?=\s|$)/)) return "keyword";
    if (stream.match(/^[[\]{},]/)) return "keyword";
    if (stream.match(/^\S.*?(?=\s+#|\s*$)/)) return null;
    stream.next();
    return null;
  },
};

export const yaml = StreamLanguage.define(YAML);
