// A proxy before a console that takes its policy away. To intercept requests in the browser would turn its cache off.

import { once } from "node:events";
import { createServer, request } from "node:http";

export async function withoutPolicy({ port }) {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const asked = request({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
      const { "content-security-policy": policy, ...kept } = answer.headers;
      outgoing.writeHead(answer.statusCode, kept);
      answer.pipe(outgoing);
    });
    asked.on("error", () => outgoing.destroy());
    incoming.pipe(asked);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  server.unref();
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => { server.close(); server.closeAllConnections(); },
  };
}
