-- The journal of imports, append-only: the state of an import is that of its latest row.
--   staging     rows are being read, nothing is visible
--   deciding    the source's lock is held, new rows and corrections are being told from known ones
--   committing  everything stands in tables beside the source and is being moved, so it is rolled forward if its process dies
--   done        visible
--   abandoned   given up, nothing of it is visible
CREATE TABLE IF NOT EXISTS imports (
    import_id String,
    source LowCardinality(String),
    state LowCardinality(String),
    at DateTime64(6, 'UTC'),
    owner String,
    imported_at DateTime64(3, 'UTC'),
    rows UInt64,
    new_rows UInt64
) ENGINE = MergeTree ORDER BY (source, import_id, at);
