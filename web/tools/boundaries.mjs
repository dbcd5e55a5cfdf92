// The floor plan of the web interface as a check: which folder may import which. Run by `npm run lint` and by a test.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), "../src");
const LINES_MAX = 600;

// Folder of the importer -> folders (or files at the top of src) that it may import besides itself.
const MAY_IMPORT = {
  ui: [],
  time: [],
  api: ["time"],
  charts: ["ui", "time"],
  editor: ["ui"],
  "paths.ts": ["time"],
  "location.tsx": ["time", "paths.ts"],
  features: ["charts", "editor", "api", "ui", "time", "paths.ts", "location.tsx"],
  shell: ["features", "charts", "editor", "api", "ui", "time", "paths.ts", "location.tsx", "routes.tsx"],
  "routes.tsx": ["features", "ui", "paths.ts"],
  "main.tsx": ["shell", "ui", "location.tsx"],
};
const BANNED_NAMES = /(^|\/)(utils?|common|helpers?|misc|manager)(\/|\.)/;

function* sources(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (/\.(ts|tsx|css)$/.test(name)) yield path;
  }
}

/** What is wrong with one file: `imports` are the specifiers as written. */
export function violations(file, text) {
  const found = [];
  // A test at the top belongs to the file that it tests.
  const floor = file.split("/")[0].replace(/^(paths)\.test/, "$1");
  if (BANNED_NAMES.test(file)) found.push(`${file}: banned name`);
  if (text.split("\n").length > LINES_MAX) found.push(`${file}: more than ${LINES_MAX} lines`);
  if (/\.css$/.test(file)) return found;
  const isTest = /\.test\.tsx?$/.test(file);
  if (file.includes("/") && MAY_IMPORT[floor] === undefined) found.push(`${file}: no such floor`);
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)) {
    const target = relative(SRC, resolve(SRC, dirname(file), match[1]));
    if (target.startsWith("..")) {
      if (!isTest) found.push(`${file}: imports ${match[1]} from outside src`);
      continue;
    }
    let to = target.split("/")[0];
    if (to === target && !/\.(css|tsx?)$/.test(to)) to = ["paths", "main"].includes(to) ? `${to}.ts` : `${to}.tsx`;
    if (floor === to) {
      const [mine, other] = [file.split("/")[1], target.split("/")[1]];
      if (floor === "features" && mine !== other) found.push(`${file}: feature ${mine} imports feature ${other}`);
    } else if (!(MAY_IMPORT[floor] ?? []).includes(to)) {
      found.push(`${file}: ${floor} must not import ${to}`);
    }
  }
  return found;
}

/** Everything wrong in the tree. */
export function check() {
  return [...sources(SRC)].flatMap((path) => violations(relative(SRC, path), readFileSync(path, "utf8")));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = check();
  for (const line of found) console.error(line);
  if (found.length > 0) process.exit(1);
  console.log("boundaries hold");
}
