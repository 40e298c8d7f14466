-- The lifecycle stage of everyone who exists at a cutoff: of every scoring run, and of past month starts, so that transitions have a
-- history at once. Kept by month, as decisions are (PruneStages).
CREATE TABLE IF NOT EXISTS lifecycle_stages (
    run_id String,                       -- of the scoring run; of a past month start a hash of all that decides it
    cutoff DateTime64(3, 'UTC'),
    customer_id String,
    stage LowCardinality(String),
    since DateTime64(3, 'UTC'),          -- the first cutoff from which on the customer was seen in the stage
    previous LowCardinality(String),     -- the stage before it, '' if none was seen
    rules LowCardinality(String)         -- version of the rule set
) ENGINE = MergeTree PARTITION BY toYYYYMM(cutoff) ORDER BY (cutoff, customer_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- What the stages of one cutoff share. The row is written after them and makes them count; of several of one cutoff and rule set the last
-- made does.
CREATE TABLE IF NOT EXISTS lifecycle_sets (
    run_id String,
    cutoff DateTime64(3, 'UTC'),
    rules String,
    document String,                     -- the rule set as JSON
    customers UInt64,
    made_at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY (cutoff, run_id)
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE scores ADD COLUMN IF NOT EXISTS stage LowCardinality(String) DEFAULT '';
