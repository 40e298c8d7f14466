package features

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// activitySQL labels by silence: churned iff no source of activity has a row in w. One row (fate) for each eligible
// customer, in their order.
func (s *Store) activitySQL(ctx context.Context, c ChurnSpec, p *Population, w window, knownBefore time.Time) (string, error) {
	var active []string
	for _, source := range c.LabelSources() {
		rows, err := s.rows(ctx, read{Source: source, Columns: []string{"at"}, From: w.from, Cutoff: knownBefore})
		if err != nil {
			return "", err
		}
		active = append(active, "SELECT customer_id\nFROM "+rows+"\nWHERE "+w.sql())
	}
	return fmt.Sprintf("SELECT toUInt8(if(customer_id IN (\n%s\n), %d, %d)) AS fate\nFROM %s\nORDER BY customer_id",
		strings.Join(active, "\nUNION ALL\n"), fateStayed, fateChurned, quoteName(p.Table)), nil
}
