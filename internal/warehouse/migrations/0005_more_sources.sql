-- The other four sources of contract.md §1; 0001_sources says what the common columns are. Surveys and touchpoints have no id: their
-- fixes stay empty, and stand so that every source reads alike.

CREATE TABLE IF NOT EXISTS surveys (
    customer_id String,
    at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    score Nullable(Decimal(18, 4)),
    channel LowCardinality(String),
    comment String,
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, at, event_hash) PARTITION BY toYYYYMM(at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS surveys_fixes AS surveys
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS tickets (
    customer_id String,
    at DateTime64(3, 'UTC'),
    ticket_id String,
    channel LowCardinality(String),
    reply_channel LowCardinality(String),
    topic LowCardinality(String),
    priority LowCardinality(String),
    first_reply_at Nullable(DateTime64(3, 'UTC')),
    resolved_at Nullable(DateTime64(3, 'UTC')),
    reopened Nullable(UInt32),
    escalated Nullable(Bool),
    self_served Nullable(Bool),
    satisfaction Nullable(Decimal(18, 4)),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, at, event_hash) PARTITION BY toYYYYMM(at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS tickets_fixes AS tickets
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS contacts (
    customer_id String,
    at DateTime64(3, 'UTC'),
    contact_id String,
    channel LowCardinality(String),
    class LowCardinality(String),
    action LowCardinality(String),
    campaign LowCardinality(String),
    decision_id String,
    outcome LowCardinality(String),
    outcome_at Nullable(DateTime64(3, 'UTC')),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, at, event_hash) PARTITION BY toYYYYMM(at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS contacts_fixes AS contacts
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS touchpoints (
    customer_id String,
    at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    channel LowCardinality(String),
    lead_source LowCardinality(String),
    campaign LowCardinality(String),
    value Nullable(Decimal(18, 4)),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, at, event_hash) PARTITION BY toYYYYMM(at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS touchpoints_fixes AS touchpoints
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;
