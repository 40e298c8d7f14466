package pipelines

import "time"

// Bounds beyond which the monitor warns, all in one place. Those of drift, max(.2, χ²_{B-1, .999} (1/n + 1/m)), stand with the formula in training/metrics; those of
// calibration are the promotion gate's.
const (
	populationShift = .10                // relative change of the number of customers or of those scored
	statusShift     = .02                // absolute change of a status's share, if it is beyond chance too
	missingShift    = .10                // absolute change of a feature's missing share
	chance          = 3.2905267314918945 // standard errors, which chance exceeds once in a thousand: Φ⁻¹(.9995)
	driftWeight     = .05                // of all contributions to the margin at training: drift of features that weigh less together is told and no warning
	staleRun        = 48 * time.Hour
	staleDays       = 2. // that a source may be behind the cutoff whatever its rhythm
	staleGaps       = 3. // and in its usual gaps
)

// How much the monitor looks at.
const (
	freshDays    = 28 // in which the usual gap of a source is looked for
	realisedRuns = 3  // matured runs, newest first
	shadowRuns   = 6  // matured runs with a shadow, spread over its time
	namedDrifts  = 5  // features that a finding names; the report has all
)
