-- What an alias of the registry means, append-only. The row of the greatest step holds; steps count per kind and alias from 1, so that the
-- order is that of the rows, whatever the clocks of those who wrote them said; at rises with them.
--   champion    the model that scores
--   challenger  the latest model that was trained and not promoted
--   shadow      the model that is scored beside the champion and never served
-- Two that write the same step tell themselves apart by their claim: the engine keeps the first.
CREATE TABLE IF NOT EXISTS model_aliases (
    kind LowCardinality(String),
    alias LowCardinality(String),
    step UInt32,
    at DateTime64(6, 'UTC'),
    action LowCardinality(String),       -- trained, promoted, forced, rolled_back; registered; shadowed, stopped
    artifact String,                     -- empty: from here on the alias means no model
    name LowCardinality(String),
    version UInt32,
    who String,
    why String,
    claim String
) ENGINE = MergeTree ORDER BY (kind, alias, step, claim)
SETTINGS non_replicated_deduplication_window = 1000;

-- Champions of before; the table promotions is written no more.
INSERT INTO model_aliases (kind, alias, step, at, action, artifact, name, version, who, why, claim)
SETTINGS insert_deduplication_token = '0008 promotions'
SELECT kind, 'champion', toUInt32(row_number() OVER (PARTITION BY kind ORDER BY at, version, artifact)), at, 'trained', artifact, name, version, who, why, ''
FROM promotions
WHERE (SELECT count() FROM model_aliases) = 0;

-- What a shadow says of the scored customers of a run. Never served: it is compared with the champion when the labels are known.
CREATE TABLE IF NOT EXISTS shadow_scores (
    run_id String,
    artifact String,
    customer_id String,
    margin Float64,
    churn_probability Float64
) ENGINE = MergeTree ORDER BY (artifact, customer_id) PARTITION BY run_id
SETTINGS non_replicated_deduplication_window = 1000;

-- The shadow scores of a run count from its one row here, written last.
CREATE TABLE IF NOT EXISTS shadow_runs (
    run_id String,
    kind LowCardinality(String),
    cutoff DateTime64(3, 'UTC'),
    artifact String,                     -- of the shadow
    name LowCardinality(String),
    version UInt32,
    rows UInt64,
    finished_at DateTime64(3, 'UTC'),
    seconds Float64
) ENGINE = MergeTree ORDER BY (kind, cutoff, run_id, artifact)
SETTINGS non_replicated_deduplication_window = 1000;
