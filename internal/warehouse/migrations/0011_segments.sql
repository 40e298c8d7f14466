-- The found segment of every customer of a set, and what they share. A set is made by `retain lifecycle segments --find`; the row of
-- segment_sets is written after its customers and makes them count. Kept by month, as decisions are (PruneSegments).
CREATE TABLE IF NOT EXISTS segments (
    set_id String,
    cutoff DateTime64(3, 'UTC'),
    customer_id String,
    segment LowCardinality(String)
) ENGINE = MergeTree PARTITION BY toYYYYMM(cutoff) ORDER BY (set_id, customer_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS segment_sets (
    set_id String,                       -- hash of all that decides it
    cutoff DateTime64(3, 'UTC'),
    document String,                     -- the groups as JSON
    customers UInt64,
    made_at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY (cutoff, set_id)
SETTINGS non_replicated_deduplication_window = 1000;
