"""Receives Airalo's webhooks from an `http` handler: verifies each and handles it once, in one transaction.

    DATABASE_URL=… SHOP_WEBHOOK_SECRET=whsec_… python receiver.py [PORT]
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
from standardwebhooks.webhooks import Webhook

WEBHOOK = Webhook(os.environ["SHOP_WEBHOOK_SECRET"])
DATABASE_URL = os.environ["DATABASE_URL"]
LARGEST_BODY = 4 * 1024 * 1024


def body_length(text):
    """The declared length of a request, or None if it declares none or an invalid one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def work(connection, kind, payload):
    """Your code. Its writes through this connection commit together with the record that the webhook is handled."""
    order = payload["data"] if isinstance(payload.get("data"), dict) else payload
    # Airalo sends it next to the order. Some of its documentation shows it inside.
    request_id = payload.get("request_id") or order.get("request_id")
    if kind == "airalo.order.completed":
        for sim in order["sims"]:
            connection.execute(
                "INSERT INTO shop.esims VALUES (%s, %s, %s, %s, %s)",
                (sim["iccid"], request_id, str(order["id"]), order.get("description"), sim.get("qrcode")),
            )
    elif kind in ("airalo.order.failed", "airalo.order.completed.conflict", "airalo.order.overdue"):
        message = order.get("reason") or payload.get("reason") or payload.get("message") or "a second order for one request"
        connection.execute("INSERT INTO shop.alerts (type, request_id, message) VALUES (%s, %s, %s)", (kind, request_id, message))


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # How long a client may be silent, in seconds.
    timeout = 10

    def do_POST(self):
        length = body_length(self.headers.get("content-length"))
        if length is None or length > LARGEST_BODY:
            self.close_connection = True
            return self.answer(411 if length is None else 413)
        body = self.rfile.read(length)
        try:
            # The signature covers the exact bytes, so it is verified before anything is parsed.
            WEBHOOK.verify(body, {name.lower(): value for name, value in self.headers.items()})
        except Exception:
            # Any error means that the request is not verified, for example a malformed header or a non-text body.
            return self.answer(401)
        try:
            with psycopg.connect(DATABASE_URL) as connection:
                new = connection.execute(
                    "INSERT INTO shop.received (webhook_id) VALUES (%s) ON CONFLICT DO NOTHING", (self.headers["webhook-id"],)
                )
                if new.rowcount == 1:
                    # The type is not signed, so only Hookfast may be able to reach this address.
                    work(connection, self.headers["hookfast-type"], json.loads(body))
        except Exception as error:
            print(f"not handled, it will be sent again: {error}", file=sys.stderr, flush=True)
            return self.answer(500)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        print(f"a connection ended early: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9090), Receiver)
    print(f"ready on {server.server_address[1]}", file=sys.stderr, flush=True)
    server.serve_forever()
