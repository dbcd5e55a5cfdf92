// Writes a .gz beside every text file of the build, so that the server never compresses at run time,
// and fails when the first load outgrows its budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const FIRST_LOAD_MAX_BYTES = 200 * 1024;
const TEXT = /\.(html|js|css|svg|json)$/;
const root = process.argv[2] ?? "dist";

function* files(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

const packed = new Map();
for (const path of [...files(root)].filter((path) => TEXT.test(path))) {
  const bytes = gzipSync(readFileSync(path), { level: 9 });
  writeFileSync(`${path}.gz`, bytes);
  packed.set(path, bytes.length);
}

// The first load is what index.html names: scripts, preloads, styles; plus the text font that the styles name.
const html = readFileSync(join(root, "index.html"), "utf8");
const named = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map((match) => join(root, match[1]));
const fonts = [...files(join(root, "assets"))].filter((path) => /geist-latin-wght.*\.woff2$/.test(path));
const first = named.map((path) => packed.get(path) ?? statSync(path).size).reduce((sum, size) => sum + size, 0)
  + fonts.map((path) => statSync(path).size).reduce((sum, size) => sum + size, 0)
  + (packed.get(join(root, "index.html")) ?? 0);
console.log(`first load: ${(first / 1024).toFixed(1)} kB gzipped (at most ${FIRST_LOAD_MAX_BYTES / 1024} kB), ${packed.size} files compressed`);
if (first > FIRST_LOAD_MAX_BYTES) {
  console.error("the first load is over its budget");
  process.exit(1);
}
