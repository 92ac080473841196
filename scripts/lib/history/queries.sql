-- the newest events | 1500
SELECT event_id, source, type, received_at, payload FROM hookfast.events ORDER BY event_id DESC LIMIT 50

-- the next page of events | 1300
SELECT event_id, source, type, received_at, payload FROM hookfast.events WHERE event_id < '${event}'
    ORDER BY event_id DESC LIMIT 50

-- events of one type in one hour | 100
SELECT event_id, source, received_at, payload FROM hookfast.events WHERE type = 'airalo.order.completed'
    AND event_id >= hookfast.event_id_at('${since}') AND event_id < hookfast.event_id_at(timestamptz '${since}' +
    interval '1 hour') ORDER BY event_id LIMIT 50

-- one event | 100
SELECT * FROM hookfast.events WHERE event_id = '${event}'

-- find by request_id | 3600
SELECT * FROM hookfast.find('${request}')

-- find by key | 1000
SELECT * FROM hookfast.find('order:${request}:completed')

-- timeline of an order number | 6000
SELECT * FROM hookfast.timeline('${order}')

-- timeline of an ICCID | 3000
SELECT * FROM hookfast.timeline('${iccid}')

-- timeline of an event | 3000
SELECT * FROM hookfast.timeline('${event}')

-- explain | 2000
SELECT * FROM hookfast.explain('${event}')

-- attempts of an event | 100
SELECT * FROM hookfast.attempts WHERE event_id = '${event}' ORDER BY finished_at

-- deliveries of an event | 1500
SELECT * FROM hookfast.deliveries WHERE event_id = '${event}'

-- retries, the soonest first | 1500
SELECT delivery_id, event_id, attempts, attempts_left, next_attempt_at FROM hookfast.deliveries WHERE handler = 'crm'
    AND state = 'retrying' ORDER BY next_attempt_at, delivery_id LIMIT 50

-- the newest dead letters | 1300
SELECT * FROM hookfast.dead_letters ORDER BY died_at DESC, delivery_id DESC LIMIT 50

-- the next page of dead letters | 1300
SELECT * FROM hookfast.dead_letters WHERE (died_at, delivery_id) < ('${since}', ${delivery}) ORDER BY died_at DESC,
    delivery_id DESC LIMIT 50

-- dead letters of one handler | 1300
SELECT * FROM hookfast.dead_letters WHERE handler = 'shop' ORDER BY died_at DESC, delivery_id DESC LIMIT 50

-- one dead letter | 100
SELECT * FROM hookfast.dead_letters WHERE delivery_id = ${delivery}

-- conflicts | 1500
SELECT * FROM hookfast.conflicts ORDER BY event_id DESC LIMIT 50

-- quarantine | 100
SELECT quarantine_id, source, reason, count, last_at FROM hookfast.quarantine ORDER BY quarantine_id DESC LIMIT 50

-- backlog | 1500
SELECT * FROM hookfast.backlog

-- handler health | 1800
SELECT * FROM hookfast.handler_health

-- status | 9000
SELECT * FROM hookfast.status()

-- durations | 200
SELECT * FROM hookfast.durations

-- unrouted | 1500
SELECT * FROM hookfast.unrouted

-- order health | 600
SELECT * FROM hookfast.order_health

-- source health | 600
SELECT * FROM hookfast.source_health

-- failures | 600
SELECT * FROM hookfast.failures

-- workers | 100
SELECT * FROM hookfast.workers

-- storage | 6000
SELECT * FROM hookfast.storage

-- replays | 100
SELECT * FROM hookfast.replays ORDER BY replay_id DESC

-- alerts | 100
SELECT * FROM hookfast.alerts ORDER BY event_id DESC LIMIT 50

-- audit log | 100
SELECT * FROM hookfast.audit_log ORDER BY log_id DESC LIMIT 50

-- pending counts | 20000
SELECT * FROM hookfast.pending_counts

-- busy slots | 700
SELECT handler, slots, busy FROM hookfast.pending_counts

-- pending deliveries of a handler | 120
SELECT * FROM hookfast.pending_deliveries WHERE handler_id = hookfast.handler_id('crm') ORDER BY delivery_id LIMIT 50
