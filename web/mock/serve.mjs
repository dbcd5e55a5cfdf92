// Serves the build in front of the mock, with the headers of the real server: what is forbidden there fails here too.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { answer } from "./api.mjs";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2" };
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** Starts the server; resolves to it once it listens. Port 0 takes a free one. */
export function serve(port) {
  const server = createServer((request, response) => {
    answer(request, response).then((done) => done || file(request, response)).catch((error) => {
      response.writeHead(500);
      response.end(String(error?.stack ?? error));
    });
  });
  return new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(server)));
}

function file(request, response) {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  const asset = join(DIST, path);
  const isPage = path === "/" || path.startsWith("/ui/");
  const chosen = isPage ? join(DIST, "index.html") : asset;
  if (!chosen.startsWith(DIST) || !existsSync(chosen) || !statSync(chosen).isFile()) {
    response.writeHead(404, { "content-type": "text/plain" });
    response.end("not found");
    return;
  }
  const packed = existsSync(`${chosen}.gz`) && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  response.writeHead(200, {
    "content-type": TYPES[extname(chosen)] ?? "application/octet-stream",
    "content-security-policy": POLICY,
    "cache-control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    ...(packed ? { "content-encoding": "gzip" } : {}),
  });
  createReadStream(packed ? `${chosen}.gz` : chosen).pipe(response);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.env.PORT ?? 4401));
  console.log(`mock on http://127.0.0.1:${server.address().port}`);
}
