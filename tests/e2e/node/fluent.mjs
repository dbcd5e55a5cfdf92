// Sends ten events in each mode of @fluent-org/logger and waits for the acknowledgements.
// usage: node fluent.mjs HOST PORT SECURITY-AS-JSON CA-FILE; exits with 3 when the server does not let it in.
import fs from "node:fs";
import { FluentClient } from "@fluent-org/logger";

const [host, port, security, ca] = process.argv.slice(2);
// The client's own timers do not keep the process alive.
setTimeout(() => process.exit(4), 60000);
const modes = ["Message", "Forward", "PackedForward", "CompressedPackedForward"];
for (const eventMode of modes) {
  const socket = { host, port: Number(port), timeout: 10000, disableReconnect: true };
  if (ca) socket.tls = { ca: fs.readFileSync(ca), servername: "localhost" };
  const client = new FluentClient("node", {
    eventMode,
    socket,
    security: JSON.parse(security),
    ack: { ackTimeout: 20000 },
    flushInterval: 10,
  });
  client.socketOn("error", (error) => {
    console.error(`${eventMode}: ${error}`);
    process.exit(3);
  });
  await client.connect();
  const sent = [];
  for (let number = 0; number < 10; number++) sent.push(client.emit("web", { message: `line ${number}`, run: "node", mode: eventMode }));
  try {
    await Promise.all(sent);
  } catch (error) {
    console.error(`${eventMode}: ${error}`);
    process.exit(3);
  }
  await client.shutdown();
}
console.log(JSON.stringify(modes));
process.exit(0);
