-- The two parts of loyalty beside the churn score, NaN where no loyalty model scored, and which model that was.
ALTER TABLE scores
    ADD COLUMN IF NOT EXISTS p_repeat Float64 DEFAULT nan,
    ADD COLUMN IF NOT EXISTS p_promotes Float64 DEFAULT nan;

ALTER TABLE runs
    ADD COLUMN IF NOT EXISTS loyalty_artifact String DEFAULT '',
    ADD COLUMN IF NOT EXISTS loyalty_version UInt32 DEFAULT 0;
