-- The churn probability by which a customer was decided about: what is learned of actions starts from it. nan = not scored, or an older program decided.
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS risk Float64 DEFAULT nan;
