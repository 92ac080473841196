// Receives Airalo's webhooks from an `http` handler: verifies each and handles it once, in one transaction.
//
//     DATABASE_URL=… SHOP_WEBHOOK_SECRET=whsec_… node receiver.mjs [PORT]

import { createServer } from "node:http";
import pg from "pg";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SHOP_WEBHOOK_SECRET);
// A connection that is broken silently returns neither a response nor an error.
const patience = { connectionTimeoutMillis: 5_000, query_timeout: 10_000 };
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, ...patience });
const LARGEST_BODY = 4 * 1024 * 1024;

// Your code. Its writes through this client commit together with the record that the webhook is handled.
async function work(client, kind, payload) {
  const order = payload.data && typeof payload.data === "object" ? payload.data : payload;
  // Airalo sends it next to the order. Some of its documentation shows it inside.
  const requestId = payload.request_id ?? order.request_id;
  if (kind === "airalo.order.completed") {
    for (const sim of order.sims) {
      const esim = [sim.iccid, requestId, String(order.id), order.description, sim.qrcode];
      await client.query("INSERT INTO shop.esims VALUES ($1, $2, $3, $4, $5)", esim);
    }
  } else if (["airalo.order.failed", "airalo.order.completed.conflict", "airalo.order.overdue"].includes(kind)) {
    const message = order.reason ?? payload.reason ?? payload.message ?? "a second order for one request";
    await client.query("INSERT INTO shop.alerts (type, request_id, message) VALUES ($1, $2, $3)", [kind, requestId, message]);
  }
}

async function receive(headers, body) {
  try {
    // The signature covers the exact bytes, so it is verified before anything is parsed.
    webhook.verify(body, headers);
  } catch {
    // Any error means that the request is not verified, for example a malformed header or a body that is not text.
    return 401;
  }
  const client = await pool.connect();
  let failed;
  try {
    await client.query("BEGIN");
    const mark = "INSERT INTO shop.received (webhook_id) VALUES ($1) ON CONFLICT DO NOTHING";
    const fresh = await client.query(mark, [headers["webhook-id"]]);
    // The type is not signed, so only Hookfast may be able to reach this address.
    if (fresh.rowCount === 1) await work(client, headers["hookfast-type"], JSON.parse(body));
    await client.query("COMMIT");
    return 204;
  } catch (error) {
    failed = error;
    throw error;
  } finally {
    // After a failure this closes the connection, which may be broken. Postgres then rolls back.
    client.release(failed);
  }
}

// How long a request may take to arrive, in milliseconds.
const limits = { requestTimeout: 10_000, headersTimeout: 10_000, connectionsCheckingInterval: 1_000 };

const server = createServer(limits, (request, response) => {
  const chunks = [];
  let length = 0;
  const tooLarge = () => {
    request.removeAllListeners("data").removeAllListeners("end").resume();
    response.writeHead(413, { connection: "close" }).end(() => request.destroy());
  };
  request.on("error", () => {});
  if (Number(request.headers["content-length"] ?? 0) > LARGEST_BODY) return tooLarge();
  request.on("data", (chunk) => {
    length += chunk.length;
    if (length > LARGEST_BODY) tooLarge();
    else chunks.push(chunk);
  });
  request.on("end", async () => {
    const status = await receive(request.headers, Buffer.concat(chunks).toString("utf8")).catch((error) => {
      console.error(`not handled, it will be sent again: ${error.message}`);
      return 500;
    });
    response.writeHead(status).end();
  });
});
server.listen(Number(process.argv[2] ?? 9090), "127.0.0.1", () => console.error(`ready on ${server.address().port}`));
