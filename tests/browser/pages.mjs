// The addresses of every page in each of its states. `ids` are those of the fixture.

export function idsOf(postgres, database) {
  const rows = (query) => postgres.psql(database, query).split("\n").filter(Boolean).map((line) => line.split("|"));
  const events = new Map(rows("SELECT e.idempotency_key, e.id FROM hookfast_data.events e ORDER BY e.id"));
  const named = new Map(rows("SELECT e.type || ' ' || h.name, d.delivery_id FROM hookfast_data.dead_letters d "
    + "JOIN hookfast_data.events e ON e.id = d.event_id JOIN hookfast_data.handlers h ON h.id = d.handler_id"));
  return {
    order: (n) => events.get(`order:request-${n}:completed`),
    event: (key) => events.get(key),
    dead: (key) => named.get(key),
    pending: rows("SELECT id FROM hookfast_data.outbox WHERE lease_id IS NULL ORDER BY id LIMIT 1")[0][0],
    quarantined: rows("SELECT id FROM hookfast_data.quarantine ORDER BY id").map(([id]) => id),
    alerts: rows("SELECT event_id FROM hookfast.alerts ORDER BY event_id").map(([id]) => id),
  };
}

// Each page once, without its other states.
export const EACH_PAGE = ["now", "find-results", "orders", "order", "order-double", "order-late", "events", "event", "event-double", "event-dead",
  "handlers", "handler", "handler-open", "dead-letters", "alerts", "alert", "sources", "source", "quarantined", "access", "act-retry-all", "act-reveal"];

export function pages(ids) {
  const conflict = ids.event("order:request-5:completed#conflict:9f2c");
  const letter = ids.dead("airalo.order.completed shop");
  return {
    "now": "/",
    "find": "/find",
    "find-results": "/find?q=request-5",
    "find-nothing": "/find?q=nothing-has-this",
    "orders": "/orders",
    "orders-all": "/orders?state=all",
    "orders-double": "/orders?state=double",
    "orders-low-data": "/orders?state=low_data",
    "orders-credit": "/orders?state=credit",
    "orders-nothing": "/orders?q=nothing-has-this",
    "order": "/orders/airalo/request-9",
    "order-double": "/orders/airalo/request-5",
    "order-dead": "/orders/airalo/request-30",
    "order-waiting": "/orders/airalo/waiting-1",
    "order-late": "/orders/airalo/late-1",
    "order-unknown": "/orders/airalo?description=Order+2004",
    "order-failed": "/orders/airalo/request-failed-204",
    "events": "/events",
    "events-filtered": "/events?source=airalo&type=airalo.order.*&window=1h",
    "events-nothing": "/events?source=legacy",
    "events-invalid": "/events?payload=%24..(",
    "event": `/events/${ids.order(9)}`,
    "event-double": `/events/${conflict}`,
    "event-compared": `/events/${conflict}?with=${ids.order(5)}`,
    "events-conflicts": "/events?conflicts=only&window=all",
    "event-first": `/events/${ids.order(5)}`,
    "event-running": `/events/${ids.order(1)}`,
    "event-retrying": `/events/${ids.order(2)}`,
    "event-dead": `/events/${ids.order(30)}`,
    "event-erased": `/events/${ids.order(139)}`,
    "event-unrouted": `/events/${ids.event("note-409")}`,
    "event-json": `/events/${ids.event("note-403")}`,
    "event-raw": `/events/${ids.event("note-403")}?body=raw`,
    "event-hex": `/events/${ids.event("note-405")}?body=hex`,
    "event-headers": `/events/${ids.event("note-403")}?body=headers`,
    "event-text": `/events/${ids.event("note-404")}`,
    "event-large": `/events/${ids.event("note-406")}`,
    "event-of-api": `/events/${ids.event("order:request-api:completed")}`,
    "event-approved": `/events/${ids.event("approved-408")}`,
    "handlers": "/handlers",
    "handler": "/handlers/shop",
    "handler-open": "/handlers/crm",
    "handler-paused": "/handlers/billing",
    "handler-unserved": "/handlers/deployments",
    "handler-behind": "/handlers/ledger",
    "handler-failing": "/handlers/search",
    "handler-retired": "/handlers/analytics",
    "dead-letters": "/dead",
    "dead-letters-filtered": "/dead?handler=shop&reason=rejected",
    "dead-letters-nothing": "/dead?handler=crm",
    "alerts": "/alerts",
    "alerts-reported": "/alerts?state=reported&window=all",
    "alerts-resolved": "/alerts?state=resolved",
    "alert": `/alerts/${ids.alerts[0]}`,
    "sources": "/sources",
    "source": "/sources/github",
    "source-filtered": "/sources/github?reason=too_large",
    "source-silent": "/sources/legacy",
    "quarantined": `/quarantine/${ids.quarantined[0]}`,
    "quarantined-excerpt": `/quarantine/${ids.quarantined[2]}`,
    "quarantined-requested": `/quarantine/${ids.quarantined[4]}`,
    "access": "/access",
    "act-retry": `/act/retry?delivery_id=${letter}`,
    "act-retry-all": "/act/retry_all?handler=shop",
    "act-discard-all": "/act/discard_all?handler=mailer",
    "act-replay": `/act/replay?event_id=${ids.order(9)}&handler=crm`,
    "act-replay-all": "/act/replay_all?handler=crm&source=airalo",
    "act-incomplete": "/act/replay_all",
    "act-pause": "/act/pause_handler?handler=shop",
    "act-resume": "/act/resume_handler?handler=billing",
    "act-erase": `/act/erase?event_id=${ids.order(9)}`,
    "act-reveal": `/act/reveal?event_id=${ids.order(9)}`,
    "act-reschedule": `/act/reschedule?delivery_id=${ids.pending}`,
    "act-check-order": "/act/airalo_check_order?description=Order+2002",
    "act-approve": `/act/approve_quarantined?quarantine_id=${ids.quarantined[0]}`,
    "act-acknowledge-conflicts": "/act/acknowledge_conflicts?source=airalo",
    "act-discard-quarantined": "/act/discard_quarantined?source=github&reason=wrong_signature",
  };
}

// Those that say why a page is not shown.
export const problems = {
  "not-found": "/no-such-page",
  "event-not-found": "/events/00000000-0000-7000-8000-000000000000",
  "order-not-found": "/orders/airalo/no-such-request",
  "handler-not-found": "/handlers/no-such-handler",
  "act-not-found": "/act/no_such_act",
};
