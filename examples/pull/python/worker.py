"""Handles the deliveries of a `pull` handler, each exactly once: its work and its completion are one transaction.

    DATABASE_URL=… python worker.py HANDLER

Start as many as you like. If one dies, the others get its deliveries as soon as its lease has expired. If the
database becomes unreachable, the program ends, and its supervisor must start it again.
"""

import json
import os
import signal
import socket
import sys

import psycopg
from psycopg.rows import dict_row

HANDLER = sys.argv[1]
HOLDER = f"{socket.gethostname()}:{os.getpid()}"
BATCH = int(os.environ.get("BATCH", "20"))
# It must be long enough for a whole batch. hookfast.extend_lease(lease_id) extends it.
LEASE = os.environ.get("LEASE", "60 seconds")
# A notification is a hint that deliveries may be due. Without one, the client claims this often.
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "2"))
# A connection that is broken silently returns neither a response nor an error. After this long the program ends. By
# then the lease has expired, too.
ANSWER_SECONDS = int(os.environ.get("ANSWER_SECONDS", "60"))

LEASE_LOST = "HF002"


def work(connection, delivery):
    """Your code. Its writes through this connection commit together with the completion of the delivery."""
    connection.execute(
        "INSERT INTO shop.ledger (handler, event_id, type, payload) VALUES (%s, %s, %s, %s)",
        (HANDLER, delivery["event_id"], delivery["type"], json.dumps(delivery["payload"])),
    )


def handle_batch(connection, batch):
    """The work of all deliveries is one transaction. If it fails, nothing of it is kept, and each gets its own."""
    try:
        with connection.transaction():
            for delivery in batch:
                signal.alarm(ANSWER_SECONDS)
                work(connection, delivery)
            ids = [delivery["delivery_id"] for delivery in batch]
            connection.execute("SELECT hookfast.complete_many(%s, %s)", (batch[0]["lease_id"], ids))
    except Exception:
        if connection.closed:
            raise
        for delivery in batch:
            signal.alarm(ANSWER_SECONDS)
            handle(connection, delivery)


def handle(connection, delivery):
    held = (delivery["lease_id"], delivery["delivery_id"])
    try:
        try:
            with connection.transaction():
                work(connection, delivery)
                connection.execute("SELECT hookfast.complete(%s, %s)", held)
        except Exception as error:
            # Without a connection the lease expires, and another client gets the delivery.
            if connection.closed or getattr(error, "sqlstate", None) == LEASE_LOST:
                raise
            connection.execute("SELECT hookfast.fail(%s, %s, %s)", (*held, str(error)))
    except psycopg.Error as error:
        if error.sqlstate != LEASE_LOST:
            raise
        # The lease has expired: the work was rolled back, and another client does it.
        print(f"delivery {held[1]} is not ours any more", file=sys.stderr)


def main():
    stopping = False

    def stop(_signal, _frame):
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    # With autocommit the claim is its own transaction, so that a crash after it counts as an attempt.
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row) as connection:
        connection.execute("LISTEN hookfast_wake")
        print("ready", file=sys.stderr, flush=True)
        while not stopping:
            # SIGALRM has no handler, so it ends the program.
            signal.alarm(ANSWER_SECONDS)
            claim = "SELECT * FROM hookfast.claim(%s, %s, %s, %s)"
            batch = connection.execute(claim, (HANDLER, HOLDER, BATCH, LEASE)).fetchall()
            if batch:
                handle_batch(connection, batch)
            signal.alarm(0)
            if not batch:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass


if __name__ == "__main__":
    main()
