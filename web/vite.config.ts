import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { mockPlugin } from "./mock/plugin.mjs";

// `npm run dev` answers from the mock; with SIGNALBOX_URL set it talks to a running server instead.
const target = process.env["SIGNALBOX_URL"];
const proxied = ["/api", "/alertmanager", "/prometheus", "/loki", "/jaeger", "/tempo", "/-"];

export default defineConfig({
  plugins: [react(), ...(target === undefined ? [mockPlugin()] : [])],
  build: {
    target: "es2022",
    // A data: URI would need a hole in the Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: {
    ...(target === undefined ? {} : { proxy: Object.fromEntries(proxied.map((prefix) => [prefix, target])) }),
  },
});
