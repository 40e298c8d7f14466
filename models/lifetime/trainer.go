package lifetime

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoCustomers is returned when there is nobody to learn from.
var ErrNoCustomers = errors.New("lifetime: no customer has a purchase")

// Trainer fits the three models and puts a fallback that says its name where one cannot be fitted.
type Trainer struct {
	MinCustomers int // repeaters that a count model needs, and customers with spend that Gamma-Gamma needs; 0 means 30
	MaxSteps     int // of Newton's method, for each start; 0 means 200
}

const (
	defaultMinCustomers = 30
	defaultMaxSteps     = 200
	// Gamma-Gamma takes spend to be independent of the number of purchases; above this correlation it is not used (metrics.md §6).
	maxSpendCorrelation = .3
)

// Model is what was learned. It is immutable and safe for concurrent use.
type Model struct {
	Customers  int
	Repeaters  int         // of them with x ≥ 1
	Counts     CountModel  // BG/NBD; MBG/NBD where only that converged; else shrunken rates
	CountsFit  Convergence // of BG/NBD; zero where it was not tried
	Presence   CountModel  // MBG/NBD, from which the probability to be alive comes; BG/NBD where only that converged; else shrunken rates
	PresentFit Convergence // of MBG/NBD; zero where it was not tried
	Spend      *SpendModel // nil where no spend is known
	SpendFit   Convergence // of Gamma-Gamma; zero where it was not tried
	// SpendCorrelation is Pearson's, of x with the mean spend of customers with spend; NaN where either does not vary.
	SpendCorrelation float64
	SpendCustomers   int      // customers with spend
	Fallbacks        []string // what took whose place and why, in words; nil = none did
}

// Fit learns from the histories, of which a *HistoryError names the first that cannot be; without any the error is ErrNoCustomers. The
// same histories in any order give the same Model up to the last digits of the sums over their order; the fits themselves do not
// depend on it. A fit that does not converge is no error: see Model.Fallbacks.
func (t Trainer) Fit(ctx context.Context, histories []History) (*Model, error) {
	if t.MinCustomers == 0 {
		t.MinCustomers = defaultMinCustomers
	}
	if t.MaxSteps == 0 {
		t.MaxSteps = defaultMaxSteps
	}
	if t.MinCustomers < 1 || t.MaxSteps < 1 {
		return nil, fmt.Errorf("lifetime: MinCustomers %d and MaxSteps %d must be above 0", t.MinCustomers, t.MaxSteps)
	}
	if len(histories) == 0 {
		return nil, ErrNoCustomers
	}
	if err := Check(histories); err != nil {
		return nil, err
	}
	m := &Model{Customers: len(histories)}
	if err := t.fitCounts(ctx, m, histories); err != nil {
		return nil, err
	}
	if err := t.fitSpend(ctx, m, histories); err != nil {
		return nil, err
	}
	return m, nil
}

func (t Trainer) fitCounts(ctx context.Context, m *Model, histories []History) (err error) {
	var age, repeats float64
	for _, h := range histories {
		age += h.Age
		repeats += float64(h.Repeats)
		if h.Repeats > 0 {
			m.Repeaters++
		}
	}
	unit := age / float64(len(histories))
	// Everyone's rate is their own and the population's, which weighs as much as the mean customer was watched for.
	rates := CountModel{Name: ShrunkenRates, R: repeats / float64(len(histories)), Alpha: unit}
	if age == 0 {
		rates.Alpha = 1
	}
	if m.Repeaters < t.MinCustomers {
		m.Counts, m.Presence = rates, rates
		m.fallBack("BG/NBD and MBG/NBD", Spoken(ShrunkenRates), fmt.Sprintf("only %d of %d customers bought on a second day, and a fit needs %d", m.Repeaters, m.Customers, t.MinCustomers))
		return nil
	}
	if m.Counts, m.CountsFit, err = fitCounts(ctx, BGNBD, histories, unit, t.MaxSteps); err != nil {
		return err
	}
	if m.Presence, m.PresentFit, err = fitCounts(ctx, MBGNBD, histories, unit, t.MaxSteps); err != nil {
		return err
	}
	switch bg, mbg := m.CountsFit.Converged, m.PresentFit.Converged; {
	case !bg && !mbg:
		m.Counts, m.Presence = rates, rates
		m.fallBack("BG/NBD and MBG/NBD", Spoken(ShrunkenRates), "neither fit converged: "+m.CountsFit.failure()+"; "+m.PresentFit.failure())
	case !bg:
		m.Counts = m.Presence
		m.fallBack(Spoken(BGNBD), Spoken(MBGNBD), "the fit did not converge: "+m.CountsFit.failure())
	case !mbg:
		m.Presence = m.Counts
		m.fallBack(Spoken(MBGNBD), Spoken(BGNBD), "the fit did not converge: "+m.PresentFit.failure())
	}
	return nil
}

func (t Trainer) fitSpend(ctx context.Context, m *Model, histories []History) error {
	var total float64
	for _, h := range histories {
		if h.Spend.Days > 0 {
			m.SpendCustomers++
			total += h.Spend.Mean
		}
	}
	m.SpendCorrelation = spendCorrelation(histories)
	if m.SpendCustomers == 0 {
		return nil
	}
	shrink := func(why string) {
		spend := shrinkSpend(histories)
		m.Spend = &spend
		m.fallBack(Spoken(GammaGamma), "the "+Spoken(ShrunkMean), why)
	}
	if m.SpendCustomers < t.MinCustomers {
		shrink(fmt.Sprintf("only %d customers have a repeat purchase with an amount, and a fit needs %d", m.SpendCustomers, t.MinCustomers))
		return nil
	}
	fitted, c, err := fitSpend(ctx, histories, total/float64(m.SpendCustomers), t.MaxSteps)
	if err != nil {
		return err
	}
	m.SpendFit = c
	switch {
	case m.SpendCorrelation > maxSpendCorrelation:
		shrink(fmt.Sprintf("mean spend rises with the number of purchases, correlation %.2f above %.1f, and Gamma-Gamma takes them to be independent", m.SpendCorrelation, maxSpendCorrelation))
	case !c.Converged:
		shrink("the fit did not converge: " + c.failure())
	case fitted.Q <= 1 || c.StandardError != nil && fitted.Q-2*c.StandardError[1] <= 1:
		shrink(fmt.Sprintf("q = %.3g is not above 1 by two standard errors, so that the mean spend of the population may be infinite", fitted.Q))
	default:
		m.Spend = &fitted
	}
	return nil
}

func (m *Model) fallBack(from, to, why string) {
	m.Fallbacks = append(m.Fallbacks, to+" in place of "+from+": "+why)
}

// failure tells where a fit was left.
func (c Convergence) failure() string {
	return fmt.Sprintf("gradient norm %.2g after %d steps from %d starts", c.GradientNorm, c.Steps, c.Starts)
}
