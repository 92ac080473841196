CREATE OR REPLACE VIEW hookfast.source_health AS
SELECT
    s.name AS source,
    s.kind,
    CASE WHEN s.kind <> 'hookfast' AND s.configured_at < statement_timestamp() - interval '10 minutes'
            -- While no process is alive, nothing is known about the configuration.
            AND EXISTS (SELECT FROM hookfast_data.processes p
                WHERE p.seen_at > statement_timestamp() - interval '20 seconds') THEN 'unconfigured'
        WHEN c.rejected_15 >= 10 AND c.rejected_15 > c.stored_15 THEN 'rejecting'
        WHEN c.last_event_at < statement_timestamp() - interval '10 minutes' AND c.usual_since_last >= 10 THEN 'silent'
        WHEN c.rejected_in_a_row >= 3 THEN 'all_rejected'
        ELSE 'ok' END AS state,
    c.last_event_at,
    statement_timestamp() - c.last_event_at AS silence,
    c.last_hour,
    c.usual_hour,
    c.duplicates AS duplicates_last_hour,
    c.conflicts AS conflicts_last_hour,
    c.rejected AS rejected_last_hour,
    c.rejects AS rejects_by_reason,
    (SELECT count(*) FROM hookfast_data.quarantine q WHERE q.source_id = s.id) AS quarantined,
    c.rejected_in_a_row,
    c.rejected_since,
    c.rejected_until,
    (SELECT coalesce(sum(r.value), 0)::bigint FROM hookfast_data.rollups r WHERE r.subject = 'source:' || s.name
        AND r.counter = 'not_json' AND r.minute > statement_timestamp() - interval '1 hour') AS not_json_last_hour,
    s.configured_at
FROM hookfast_data.sources s CROSS JOIN LATERAL hookfast_data.source_counts(s.name) c;
COMMENT ON VIEW hookfast.source_health IS
    'One row per source: ok, silent (ten or more events are usual at this time of the day since the last one), '
    'rejecting (ten or more requests and a majority in 15 minutes), all_rejected (three or more, and no genuine one '
    'since) or unconfigured (no live process has had it in its configuration for ten minutes), with its last event '
    'to the minute, and the last hour beside the usual hour';
