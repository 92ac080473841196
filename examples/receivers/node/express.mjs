import express from "express";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SHOP_WEBHOOK_SECRET); // whsec_…

// Your part. The same id may arrive again: do it once, as receiver.mjs does.
async function handle(id, type, payload) {
  console.log(id, type, payload);
}

const app = express();
// raw, since the signature is over the exact bytes.
app.post("/hooks", express.raw({ type: () => true, limit: "4mb", inflate: false }), async (request, response) => {
  try {
    webhook.verify(request.body, request.headers);
  } catch {
    return response.sendStatus(401);
  }
  await handle(request.headers["webhook-id"], request.headers["hookfast-type"], JSON.parse(request.body));
  response.sendStatus(204); // an exception above is 500, and Hookfast retries
});
app.listen(Number(process.env.PORT ?? 9090), "127.0.0.1", () => console.error("ready"));
