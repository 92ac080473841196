// Handles the deliveries of a `pull` handler, each exactly once: its work and its completion are one transaction.
//
//     DATABASE_URL=… node worker.mjs HANDLER
//
// Start as many as you like. If one dies, the others get its deliveries as soon as its lease has expired. If the
// database becomes unreachable, the program ends, and its supervisor must start it again.

import os from "node:os";
import pg from "pg";

const HANDLER = process.argv[2];
const HOLDER = `${os.hostname()}:${process.pid}`;
const BATCH = Number(process.env.BATCH ?? 20);
// It must be long enough for a whole batch. hookfast.extend_lease(lease_id) extends it.
const LEASE = process.env.LEASE ?? "60 seconds";
// A notification is a hint that deliveries may be due. Without one, the client claims this often.
const POLL_SECONDS = Number(process.env.POLL_SECONDS ?? 2);
// A connection that is broken silently returns neither a response nor an error. After this long the program ends. By
// then the lease has expired, too.
const ANSWER_SECONDS = Number(process.env.ANSWER_SECONDS ?? 60);

const LEASE_LOST = "HF002";

// Your code. Its writes through this connection commit together with the completion of the delivery.
async function work(client, delivery) {
  await client.query("INSERT INTO shop.ledger (handler, event_id, type, payload) VALUES ($1, $2, $3, $4)", [
    HANDLER,
    delivery.event_id,
    delivery.type,
    JSON.stringify(delivery.payload),
  ]);
}

// The work of all deliveries is one transaction. If it fails, nothing of it is kept, and each gets its own.
async function handleBatch(client, batch) {
  try {
    await client.query("BEGIN");
    for (const delivery of batch) await work(client, delivery);
    const ids = batch.map((delivery) => delivery.delivery_id);
    await client.query("SELECT hookfast.complete_many($1, $2)", [batch[0].lease_id, ids]);
    await client.query("COMMIT");
  } catch {
    // Without a connection this fails too, and the program ends.
    await client.query("ROLLBACK");
    for (const delivery of batch) await handle(client, delivery);
  }
}

async function handle(client, delivery) {
  const held = [delivery.lease_id, delivery.delivery_id];
  try {
    try {
      await client.query("BEGIN");
      await work(client, delivery);
      await client.query("SELECT hookfast.complete($1, $2)", held);
      await client.query("COMMIT");
    } catch (error) {
      await client.query("ROLLBACK");
      if (error.code === LEASE_LOST) throw error;
      await client.query("SELECT hookfast.fail($1, $2, $3)", [...held, String(error.message)]);
    }
  } catch (error) {
    if (error.code !== LEASE_LOST) throw error;
    // The lease has expired: the work was rolled back, and another client does it.
    console.error(`delivery ${held[1]} is not ours any more`);
  }
}

let stopping = false;
let wake = () => {};
process.on("SIGTERM", () => {
  stopping = true;
  wake();
});

const client = new pg.Client({ connectionString: process.env.DATABASE_URL, query_timeout: ANSWER_SECONDS * 1000 });
await client.connect();
let notified = false;
client.on("notification", () => {
  notified = true;
  wake();
});
await client.query("LISTEN hookfast_wake");
console.error("ready");

while (!stopping) {
  notified = false;
  // The claim is its own transaction, so that a crash after it counts as an attempt.
  const batch = await client.query("SELECT * FROM hookfast.claim($1, $2, $3, $4)", [HANDLER, HOLDER, BATCH, LEASE]);
  if (batch.rows.length > 0) await handleBatch(client, batch.rows);
  if (batch.rows.length === 0 && !notified && !stopping) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_SECONDS * 1000);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
await client.end();
