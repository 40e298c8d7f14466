-- What the decisions of a run come to, as JSON: control group, budget, prices, bound and gap. '' = an older program decided.
ALTER TABLE decision_runs ADD COLUMN IF NOT EXISTS account String DEFAULT '';
