-- hookfast: event body
-- $1 the event
SELECT body FROM hookfast_data.events WHERE id = $1::uuid
