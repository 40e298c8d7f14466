package doctor

import (
	"context"
	"fmt"
	"strings"

	"retain/internal/spoken"
)

// named is how many outages a message names.
const named = 5

func checkOutages(ctx context.Context, x *examination, p *profile) (finding, error) {
	if p.newest.IsZero() {
		return skip("no row has a time that is not in the future"), nil
	}
	// The last day may not be over.
	out, err := x.Store.OutageDays(ctx, p.layout.name, p.first, p.newest.Truncate(day))
	if err != nil {
		return finding{}, err
	}
	figures := Figures{"days": figure(int64(len(out)))}
	if len(out) == 0 {
		return fine("no day has less than a fifth of its usual rows").with(figures), nil
	}
	names := make([]string, 0, named)
	for _, d := range out[:min(named, len(out))] {
		names = append(names, dayOf(d))
	}
	if n := len(out) - named; n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return warn(fmt.Sprintf("if rows are missing, import them again: retain import %s FILE; labels whose window is more than 5 %% outage are not used", p.layout.name),
		"%s with less than a fifth of the usual rows of that weekday: %s", spoken.Counted(int64(len(out)), "day"), strings.Join(names, ", ")).with(figures), nil
}
