-- One decision per customer and run. Decisions outlive the scores of their run, because outcomes join by decision_id months later;
-- so they are partitioned by month and dropped by month (PruneDecisions). Arrays of one customer go together, one element per action.
CREATE TABLE IF NOT EXISTS decisions (
    run_id String,
    cutoff DateTime64(3, 'UTC'),
    customer_id String,
    decision_id String,                  -- hash of run and customer
    holdout Bool,
    chosen LowCardinality(String),
    value Float64,                       -- NaN = unknown
    pressure Float64,                    -- P of the fatigue term
    actions Array(LowCardinality(String)),    -- what could have been chosen, do_nothing among it, in the catalogue's order
    channels Array(LowCardinality(String)),
    priorities Array(Float64),
    uplifts Array(Float64),
    uplift_sources Array(LowCardinality(String)),
    levers Array(Float64),
    fatigues Array(Float64),
    contact_costs Array(Float64),
    p_accepts Array(Float64),
    incentives Array(Float64),
    propensities Array(Float64),
    moments Array(DateTime64(3, 'UTC')),      -- 1970 for do_nothing, as expiries
    expiries Array(DateTime64(3, 'UTC')),
    withheld Array(LowCardinality(String)),   -- held out: what else the policy weighed
    withheld_propensities Array(Float64),
    suppressed Array(LowCardinality(String)),
    reasons Array(LowCardinality(String))     -- why suppressed
) ENGINE = MergeTree ORDER BY (run_id, customer_id) PARTITION BY toYYYYMM(cutoff)
SETTINGS non_replicated_deduplication_window = 1000;

-- What all decisions of a run share. The row is written after its decisions and before the run's, and makes them count.
CREATE TABLE IF NOT EXISTS decision_runs (
    run_id String,
    cutoff DateTime64(3, 'UTC'),
    policy String,                       -- version: hash of document, holdout and explore
    document String,                     -- the action catalogue as JSON
    explore Bool,
    holdout Float64,                     -- share of customers held out
    decided_at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY (cutoff, run_id)
SETTINGS non_replicated_deduplication_window = 1000;
