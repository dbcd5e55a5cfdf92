// The mock as part of the development server.
import { answer } from "./api.mjs";

export function mockPlugin() {
  return {
    name: "signalbox-mock",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        answer(request, response).then((done) => done || next(), next);
      });
    },
  };
}
