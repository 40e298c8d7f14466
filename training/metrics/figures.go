package metrics

import "time"

// Figures are the metrics of one set of rows under one family; undefined ones are null in JSON.
type Figures struct {
	AUC           Figure `json:"auc"`
	PRAUC         Figure `json:"pr_auc"` // average precision by steps
	LogLoss       Figure `json:"log_loss"`
	Brier         Figure `json:"brier"`
	ECE           Figure `json:"ece"`
	TopDecileLift Figure `json:"top_decile_lift"`
}

// FoldFigures are the figures of one test cutoff.
type FoldFigures struct {
	Cutoff    time.Time `json:"cutoff"`
	Rows      int       `json:"rows"`
	Positives int       `json:"positives"`
	Figures
	AUCDue *Figure `json:"auc_due,omitempty"` // contractual: AUC among those whose period ends within the label window; absent elsewhere
}

// PooledFigures are the figures over all test cutoffs: log loss, Brier and ECE of the concatenated rows, AUC, average precision and lift
// as means of the cutoffs weighted by their positives.
type PooledFigures struct {
	Rows      int `json:"rows"`
	Positives int `json:"positives"`
	Figures
	// 95 % percentile intervals of the bootstrap by customer, the draws shared by all families, cutoffs and segments. ECE has none: a draw only adds
	// noise to it, so it stands beside its noise band in Calibration.
	AUCInterval           Interval         `json:"auc_interval"`
	PRAUCInterval         Interval         `json:"pr_auc_interval"`
	LogLossInterval       Interval         `json:"log_loss_interval"`
	BrierInterval         Interval         `json:"brier_interval"`
	TopDecileLiftInterval Interval         `json:"top_decile_lift_interval"`
	Calibration           Reliability      `json:"calibration"`
	Bins                  []ReliabilityBin `json:"reliability,omitempty"` // lowest probabilities first
	Gains                 []GainPoint      `json:"gains,omitempty"`       // at GainShares
	Profit                *ProfitCurve     `json:"profit,omitempty"`
}

// ModelFigures is one family's row of the tournament.
type ModelFigures struct {
	Name           string        `json:"name"`
	Folds          []FoldFigures `json:"folds"`
	Pooled         PooledFigures `json:"pooled"`
	FitSeconds     float64       `json:"fit_seconds"`     // of all fits behind the row, folds included; wall time of each, added
	PredictSeconds float64       `json:"predict_seconds"` // of the test rows
	Verdict        string        `json:"verdict"`         // what to think of it, in words
}

// Held is the held-out rows of one test cutoff under one family, never seen by its fit.
type Held struct {
	Cutoff   time.Time
	Customer []string
	Y        []float64 // labels
	Margin   []float64 // before calibration; ranks
	P        []float64 // calibrated probabilities
	Due      []bool    // contractual: the paid period ends within the label window, as known at the cutoff; nil elsewhere
}

// Measure computes the figures of rows: ranks by margin, all else by the probability.
func Measure(y, margin, p []float64) Figures {
	return Rank(margin).figures(y, p)
}

func (r Ranking) figures(y, p []float64) Figures {
	return Figures{
		AUC:           Figure(r.AUC(y, nil)),
		PRAUC:         Figure(r.AveragePrecision(y, nil)),
		LogLoss:       Figure(LogLoss(p, y, nil)),
		Brier:         Figure(Brier(p, y, nil)),
		ECE:           Figure(ECE(p, y)),
		TopDecileLift: Figure(r.TopDecileLift(y)),
	}
}

// AUCDue is the AUC among the rows that are due: between them time left, which everyone knows, no longer tells who leaves.
func (h Held) AUCDue() *Figure {
	if h.Due == nil {
		return nil
	}
	var margin, y []float64
	for i, due := range h.Due {
		if due {
			margin, y = append(margin, h.Margin[i]), append(y, h.Y[i])
		}
	}
	auc := Figure(AUC(margin, y, nil))
	return &auc
}

// Concatenate joins the rows of the cutoffs in their order.
func Concatenate(held []Held) Held {
	var all Held
	for _, h := range held {
		all.Customer = append(all.Customer, h.Customer...)
		all.Y = append(all.Y, h.Y...)
		all.Margin = append(all.Margin, h.Margin...)
		all.P = append(all.P, h.P...)
	}
	return all
}
