-- The ledger of jobs, append-only: the state of an attempt is that of its latest row, and rows of state running are its signs of life.
--   running    a process does it, or died over it
--   done       finished
--   failed     ended by an error
--   cancelled  stopped on request, or given up because another process took over
--   blocked    not begun, because a job before it failed
-- (job, key) names the work: the same work has the same key. An attempt belongs to the run whose row was there first.
CREATE TABLE IF NOT EXISTS jobs (
    job LowCardinality(String),
    key String,
    attempt UInt32,
    run String,                          -- of the attempt: random, so that two that claim it tell themselves apart
    state LowCardinality(String),
    at DateTime64(6, 'UTC'),             -- of the row, by the real clock
    owner String,                        -- host:pid:start of the process
    who String,                          -- retain schedule, retain run, …
    due_at Nullable(DateTime64(3, 'UTC')),   -- the instant of the schedule; null by hand
    cutoff Nullable(DateTime64(3, 'UTC')),
    started_at DateTime64(3, 'UTC'),     -- by the job's clock
    finished_at Nullable(DateTime64(3, 'UTC')),
    rows UInt64,
    seconds Float64,
    message String,
    error String,
    report String                        -- JSON
) ENGINE = MergeTree ORDER BY (job, key, attempt, at)
SETTINGS non_replicated_deduplication_window = 1000;

-- The matrix of a cutoff, kept so that the jobs that need it need not compute it again. A snapshot is visible by its one row here, written last.
CREATE TABLE IF NOT EXISTS snapshots (
    snapshot_id String,                  -- hash of the cutoff, the definitions and the digest of the input
    cutoff DateTime64(3, 'UTC'),
    fingerprint String,                  -- of the definitions
    input String,                        -- digest of the rows known at the cutoff
    customers UInt64,
    eligible UInt64,
    header String,                       -- JSON: the columns with kinds, definitions and levels
    created_at DateTime64(6, 'UTC')
) ENGINE = MergeTree ORDER BY (cutoff, snapshot_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- Column by column, in chunks of rows: little-endian numbers, so that what is read is what was written, bit for bit.
CREATE TABLE IF NOT EXISTS snapshot_columns (
    snapshot_id String,
    position UInt32,                     -- of the column
    chunk UInt32,
    bytes String CODEC(ZSTD(1))
) ENGINE = MergeTree ORDER BY (position, chunk) PARTITION BY snapshot_id
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 1;
