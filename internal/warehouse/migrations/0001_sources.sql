-- The sources of contract.md §1. Every table carries
--   ingested_at      knowledge time: when we could know the row
--   ingested_mapped  1 = ingested_at was given, 0 = it is the row's own time
--   imported_at      when the import ran; breaks ties of ingested_at between versions of one identity
--   event_hash       identity within the source (equal hash of one customer = the same event)
--   row_hash         hash of the canonical content (equal identity, other content = a correction)
-- An empty text is a missing text. Money and seconds are fixed point, so that sums do not depend on the order.
-- <source>_fixes holds every version of each event that has more than one; <source> holds the first version only.

CREATE TABLE IF NOT EXISTS customers (
    customer_id String,
    created_at Nullable(DateTime64(3, 'UTC')),
    lead_source LowCardinality(String),
    segment LowCardinality(String),
    birth_year Nullable(UInt16),
    region LowCardinality(String),
    plan LowCardinality(String),
    timezone LowCardinality(String),
    owner LowCardinality(String),
    consent Map(String, Bool),
    opted_out_at Nullable(DateTime64(3, 'UTC')),
    attributes Map(String, String),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS usage (
    customer_id String,
    at DateTime64(3, 'UTC'),
    event_id String,
    user_id String,
    feature LowCardinality(String),
    channel LowCardinality(String),
    duration_s Nullable(Decimal(18, 3)),
    quantity Nullable(Decimal(18, 4)),
    errors Nullable(UInt32),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, at, event_hash) PARTITION BY toYYYYMM(at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS usage_fixes AS usage
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS purchases (
    customer_id String,
    at DateTime64(3, 'UTC'),
    order_id String,
    product String,
    category LowCardinality(String),
    quantity Nullable(Decimal(18, 4)),
    amount Nullable(Decimal(18, 4)),
    discount Nullable(Decimal(18, 4)),
    currency LowCardinality(String),
    channel LowCardinality(String),
    returned Nullable(Bool),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, at, event_hash) PARTITION BY toYYYYMM(at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS purchases_fixes AS purchases
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS subscriptions (
    customer_id String,
    subscription_id String,
    started_at DateTime64(3, 'UTC'),
    ends_at Nullable(DateTime64(3, 'UTC')),
    ended_at Nullable(DateTime64(3, 'UTC')),
    cancelled_at Nullable(DateTime64(3, 'UTC')),
    end_reason LowCardinality(String),
    plan LowCardinality(String),
    mrr Nullable(Decimal(18, 4)),
    list_mrr Nullable(Decimal(18, 4)),
    seats Nullable(UInt32),
    billing_days Nullable(UInt16),
    auto_renew Nullable(Bool),
    ingested_at DateTime64(3, 'UTC'),
    ingested_mapped Bool,
    imported_at DateTime64(3, 'UTC'),
    event_hash UInt64,
    row_hash UInt64
) ENGINE = MergeTree ORDER BY (customer_id, started_at, event_hash) PARTITION BY toYear(started_at)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS subscriptions_fixes AS subscriptions
ENGINE = MergeTree ORDER BY (customer_id, event_hash, ingested_at, imported_at, row_hash)
SETTINGS non_replicated_deduplication_window = 1000;
