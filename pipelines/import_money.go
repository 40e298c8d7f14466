package pipelines

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"

	"retain/internal/warehouse"
)

// importMoney holds the rule of one currency: a row in another one is refused unless a rate converts it. Amounts are converted on import and carry
// the one currency from then on. A row that names no currency is in the one currency. Currencies are compared in upper case.
type importMoney struct {
	currency int    // position of the column; -1: the source has none
	amounts  []int  // positions of the columns in that currency
	one      []byte // the one currency, upper case; empty: taken from the first row that names one
	rates    map[string]float64
	upper    []byte
}

func newImportMoney(ctx context.Context, o ImportOptions, source warehouse.ImportSource) (*importMoney, error) {
	m := &importMoney{currency: source.Column("currency"), rates: map[string]float64{}, one: []byte(strings.ToUpper(o.Currency))}
	if m.currency < 0 {
		return m, nil
	}
	for _, name := range []string{"amount", "discount"} {
		if i := source.Column(name); i >= 0 {
			m.amounts = append(m.amounts, i)
		}
	}
	for from, rate := range o.Rates {
		if !(rate > 0) || math.IsInf(rate, 0) {
			return nil, fmt.Errorf("%w: the rate of %s is %v: it must be above 0", ErrImportOptions, from, rate)
		}
		m.rates[strings.ToUpper(from)] = rate
	}
	if len(m.one) == 0 && len(m.rates) > 0 {
		return nil, fmt.Errorf("%w: rates convert into the currency of the configuration: set currency", ErrImportOptions)
	}
	if len(m.one) == 0 {
		held, err := o.Warehouse.HeldCurrency(ctx, source.Name)
		if err != nil {
			return nil, err
		}
		m.one = []byte(held)
	}
	return m, nil
}

// check applies the rule to one row.
func (m *importMoney) check(v *importRow) *BadRowError {
	if m.currency < 0 || len(v.text[m.currency]) == 0 {
		return nil
	}
	m.upper = append(m.upper[:0], bytes.ToUpper(bytes.TrimSpace(v.text[m.currency]))...)
	if len(m.one) == 0 {
		m.one = bytes.Clone(m.upper)
	}
	v.text[m.currency] = m.one
	if bytes.Equal(m.upper, m.one) {
		return nil
	}
	rate, ok := m.rates[string(m.upper)]
	if !ok {
		return &BadRowError{Column: "currency", Value: shorten(m.upper), Reason: fmt.Sprintf(
			"is not %s, the one currency: convert the amounts, or give its rate under rates: in the configuration (with currency:)", m.one)}
	}
	for _, i := range m.amounts {
		if v.whole[i] == warehouse.ImportNull {
			continue
		}
		converted := math.Round(float64(v.whole[i]) * rate)
		if math.Abs(converted) > 999_999_999_999_999_999 {
			return &BadRowError{Column: "currency", Value: shorten(m.upper), Reason: "converts to an amount of more than 14 digits before the point: check the amount and the rate"}
		}
		v.whole[i] = int64(converted)
	}
	return nil
}
