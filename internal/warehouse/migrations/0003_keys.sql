-- hash is the SHA-256, in hex, of the key's 256 random bits; the key itself is never stored.
CREATE TABLE IF NOT EXISTS keys (
    id String,
    hash String,
    scopes Array(LowCardinality(String)),
    label String,
    created_at DateTime64(3, 'UTC'),
    expires_at Nullable(DateTime64(3, 'UTC'))
) ENGINE = MergeTree ORDER BY id
SETTINGS non_replicated_deduplication_window = 100;

-- Append-only: a key is dead from its first row here.
CREATE TABLE IF NOT EXISTS key_revocations (
    id String,
    at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY id;
