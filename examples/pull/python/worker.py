"""Handles the deliveries of a `pull` handler, each exactly once: its work and its end are one transaction.

    DATABASE_URL=… python worker.py HANDLER

Start as many as you like. When one dies, what it held goes to the others as soon as its lease has ended. When the
database goes away the program ends; whatever supervises it starts it again.
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
# Long enough for a whole batch; hookfast.extend_lease(lease_id) prolongs it.
LEASE = os.environ.get("LEASE", "60 seconds")
# A notification says that there may be work; without one this often is looked anyway.
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "2"))
# On a connection that has died silently no answer and no error ever arrives. After this long the program ends; by then
# the lease has ended too.
ANSWER_SECONDS = int(os.environ.get("ANSWER_SECONDS", "60"))

LEASE_LOST = "HF002"


def work(connection, delivery):
    """Your part. Whatever it writes through this connection commits together with the end of the delivery."""
    connection.execute(
        "INSERT INTO shop.ledger (handler, event_id, type, payload) VALUES (%s, %s, %s, %s)",
        (HANDLER, delivery["event_id"], delivery["type"], json.dumps(delivery["payload"])),
    )


def handle(connection, delivery):
    held = (delivery["lease_id"], delivery["delivery_id"])
    try:
        try:
            with connection.transaction():
                work(connection, delivery)
                connection.execute("SELECT hookfast.complete(%s, %s)", held)
        except Exception as error:
            # Without a connection the lease ends by itself, and the delivery is tried again.
            if connection.closed or getattr(error, "sqlstate", None) == LEASE_LOST:
                raise
            connection.execute("SELECT hookfast.fail(%s, %s, %s)", (*held, str(error)))
    except psycopg.Error as error:
        if error.sqlstate != LEASE_LOST:
            raise
        # It came too late: the work was rolled back, and another client does it.
        print(f"delivery {held[1]} is not ours any more", file=sys.stderr)


def main():
    stopping = False

    def stop(_signal, _frame):
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    # Autocommit: the claim commits by itself, so that a crash after it counts as an attempt.
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, row_factory=dict_row) as connection:
        connection.execute("LISTEN hookfast_wake")
        print("ready", file=sys.stderr, flush=True)
        while not stopping:
            # SIGALRM ends the program, since it has no handler.
            signal.alarm(ANSWER_SECONDS)
            claim = "SELECT * FROM hookfast.claim(%s, %s, %s, %s)"
            batch = connection.execute(claim, (HANDLER, HOLDER, BATCH, LEASE)).fetchall()
            for delivery in batch:
                signal.alarm(ANSWER_SECONDS)
                handle(connection, delivery)
            signal.alarm(0)
            if not batch:
                for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass


if __name__ == "__main__":
    main()
