-- What came of decisions. Every version that was told stays; the latest of a decision and outcome counts. Outcomes go with the decisions
-- they are of: partitioned and dropped by the month of the decision's cutoff.
CREATE TABLE IF NOT EXISTS outcomes (
    run_id String,                       -- of the decision, as cutoff
    cutoff DateTime64(3, 'UTC'),
    decision_id String,
    customer_id String,
    action LowCardinality(String),       -- it came of
    outcome LowCardinality(String),      -- shown, accepted, rejected, ignored, converted, saved
    at DateTime64(3, 'UTC'),             -- when it happened
    ingested_at DateTime64(3, 'UTC'),    -- when it was told
    late Bool,                           -- after the action had expired
    source LowCardinality(String)        -- api, console, import, contacts
) ENGINE = MergeTree ORDER BY (run_id, decision_id, outcome, ingested_at) PARTITION BY toYYYYMM(cutoff)
SETTINGS non_replicated_deduplication_window = 1000;

-- Outcomes name a decision by its id alone, which is a hash and so nowhere near others in the order of the table.
ALTER TABLE decisions ADD INDEX IF NOT EXISTS by_decision decision_id TYPE bloom_filter GRANULARITY 1;
ALTER TABLE decisions MATERIALIZE INDEX by_decision;
