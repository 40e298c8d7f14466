-- Artifacts are content-addressed: artifact = 'sha256:' + hex of blob. versions count per name.
CREATE TABLE IF NOT EXISTS models (
    artifact String,
    kind LowCardinality(String),
    name LowCardinality(String),
    version UInt32,
    family LowCardinality(String),
    created_at DateTime64(3, 'UTC'),
    rows UInt64,
    positives UInt64,
    report String,
    blob String
) ENGINE = MergeTree ORDER BY (kind, name, version)
SETTINGS non_replicated_deduplication_window = 100;

-- Append-only: the champion of a kind is the model of the latest promotion.
CREATE TABLE IF NOT EXISTS promotions (
    at DateTime64(6, 'UTC'),
    kind LowCardinality(String),
    artifact String,
    name LowCardinality(String),
    version UInt32,
    who String,
    why String
) ENGINE = MergeTree ORDER BY (kind, at)
SETTINGS non_replicated_deduplication_window = 100;

-- A run becomes visible by its one row here, written last. The run in force: greatest cutoff, then latest finish.
CREATE TABLE IF NOT EXISTS runs (
    run_id String,
    kind LowCardinality(String),
    cutoff DateTime64(3, 'UTC'),
    artifact String,
    model_name LowCardinality(String),
    model_version UInt32,
    horizon_days UInt16,
    customers UInt64,
    scored UInt64,
    by_status Map(String, UInt64),
    hindsight Bool,
    started_at DateTime64(3, 'UTC'),
    finished_at DateTime64(3, 'UTC'),
    seconds Map(String, Float64)
) ENGINE = MergeTree ORDER BY (kind, cutoff, finished_at, run_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS scores (
    run_id String,
    customer_id String,
    status LowCardinality(String),
    status_code LowCardinality(String),
    margin Float64,                      -- NaN unless scored, as the following
    churn_probability Float64,
    percentile UInt8,                    -- 0 unless scored
    band LowCardinality(String),
    expected_value Float64,
    expected_loss Float64,
    reason_features Array(LowCardinality(String)),
    reason_texts Array(String),
    reason_values Array(Float64),
    reason_references Array(Float64),
    reason_contributions Array(Float64),
    vector Array(Float32)                -- the encoded features, so that explain tells exactly what was scored
) ENGINE = MergeTree ORDER BY customer_id PARTITION BY run_id
SETTINGS non_replicated_deduplication_window = 1000;
