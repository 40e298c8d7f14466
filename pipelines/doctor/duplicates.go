package doctor

import (
	"cmp"
	"context"
	"fmt"

	"retain/features"
	"retain/internal/spoken"
)

// sampled is the number of rows that are grouped or joined by customer or id: of more, those of a keyed share of the customers or ids are.
const sampled = 1_000_000

// sampleOf is the condition that keeps one in k values of an expression, and the k.
func sampleOf(expression string, rows int64) (condition string, k int64) {
	k = (rows + sampled - 1) / sampled
	if k <= 1 {
		return "1", 1
	}
	return fmt.Sprintf("cityHash64(%s) %% %d = 0", expression, k), k
}

// inSample begins a message whose counts are those of one in k customers; it is empty if that is all of them.
func inSample(k int64) string {
	if k <= 1 {
		return ""
	}
	return fmt.Sprintf("in a sample of 1 in %d customers: ", k)
}

const manyEqual = .10 // equal rows: real ones are that common only where rows are coarse

func checkDuplicates(ctx context.Context, x *examination, p *profile) (finding, error) {
	if p.own {
		return x.ownDuplicates(ctx, p)
	}
	name := p.layout.name
	if name == features.Customers {
		got, err := x.versionsOfCustomers(ctx)
		if err != nil {
			return finding{}, err
		}
		return fine("%s of %s; the newest that was known at a cutoff holds", spoken.Counted(got["n"], "version"), spoken.Counted(got["ids"], "customer")).
			with(Figures{"versions": figure(got["n"]), "customers": figure(got["ids"])}), nil
	}
	equal, n, k, err := x.repeats(ctx, p, "at, row_hash", "1")
	if err != nil {
		return finding{}, err
	}
	fixes, err := x.one(ctx, "SELECT toInt64(uniqExact(customer_id, event_hash)) AS events, toInt64(count()) AS versions FROM "+name+"_fixes")
	if err != nil {
		return finding{}, err
	}
	s, corrected := share(equal, n), share(fixes["events"], p.rows)
	figures := Figures{"equal": figureOf(s), "corrected_events": figure(fixes["events"]), "versions": figure(fixes["versions"])}
	told := inSample(k) + fmt.Sprintf("%s of %s (%s) equal another one, and each counts", spoken.Count(equal), spoken.Counted(n, "row"), percent(s))
	if corrected > strangeShare {
		return warn(fmt.Sprintf("none if you have corrected them; but if %s names something else than the row, leave it out: rename that column of the file and import again", p.layout.id),
			"%s have several versions: the same %s came again with other content, and only the newest version counts; %s", spoken.Counted(fixes["events"], "event"), p.layout.id, told).with(figures), nil
	}
	if s > manyEqual {
		return warn(fmt.Sprintf("if the source delivers rows twice, map its id: retain import %s FILE --map %s=COLUMN", name, cmp.Or(p.layout.id, "customer_id")), "%s", told).with(figures), nil
	}
	if fixes["events"] > 0 {
		told += fmt.Sprintf("; %s were corrected", spoken.Counted(fixes["events"], "event"))
	}
	return fine("%s", told).with(figures), nil
}

// repeats counts the rows beyond the first of each customer and key, among those that meet a condition, in a sample of one in k customers of n rows.
func (x *examination) repeats(ctx context.Context, p *profile, key, among string) (repeated, n, k int64, err error) {
	columns := []string{"at", "event_hash", "row_hash"}
	if p.layout.id != "" {
		columns = append(columns, p.layout.id)
	}
	rows, err := x.from(ctx, p.layout.name, columns...)
	if err != nil {
		return 0, 0, 0, err
	}
	condition, k := sampleOf("customer_id", p.rows)
	got, err := x.one(ctx, "SELECT toInt64(sum(n)) AS read, toInt64(sum(n - 1)) AS repeated FROM (SELECT count() AS n FROM "+rows+" WHERE "+condition+" AND "+among+" GROUP BY cityHash64(customer_id, "+key+"))")
	return got["repeated"], got["read"], k, err
}

func (x *examination) versionsOfCustomers(ctx context.Context) (map[string]int64, error) {
	return x.one(ctx, "SELECT toInt64(count()) AS n, toInt64(uniqExact(customer_id)) AS ids FROM customers")
}

// ownDuplicates looks whether your own table keeps the promise of `unique:`, and whether it could be given.
func (x *examination) ownDuplicates(ctx context.Context, p *profile) (finding, error) {
	name, declared := p.layout.name, x.Store.Sources[p.layout.name].Unique
	if name == features.Customers {
		return fine("read with one row a customer, the newest that was known at a cutoff"), nil
	}
	identity := p.layout.id != "" && p.missing[p.layout.id] < p.rows
	key, among, as, read := "row_hash", "1", "equal another one", ""
	switch {
	case identity && name == features.Purchases: // the lines of an order share its id, and each counts
		key, among, read = "event_hash, row_hash", p.layout.id+" != ''", "equal lines of an order are read once"
	case identity:
		key, among, as, read = "event_hash", p.layout.id+" != ''", "have the identity of another one", "the newest version of each is read"
	}
	repeated, n, k, err := x.repeats(ctx, p, key, among)
	if err != nil {
		return finding{}, err
	}
	s := share(repeated, n)
	figures := Figures{"repeated": figureOf(s)}
	told := inSample(k) + fmt.Sprintf("%s of %s (%s) %s", spoken.Count(repeated), spoken.Counted(n, "row"), percent(s), as)
	switch {
	case repeated > 0 && declared && identity:
		return wrong(fmt.Sprintf("take sources.%s.unique out of retain.yaml, so that %s", name, read), "%s, and unique: true is declared: they count twice", told).with(figures), nil
	case repeated > 0 && identity:
		return fine("%s: %s", told, read).with(figures), nil
	case s > manyEqual:
		return warn(fmt.Sprintf("map the id of a row: sources.%s.columns.%s", name, cmp.Or(p.layout.id, "customer_id")), "%s, and each counts", told).with(figures), nil
	case declared || !identity:
		return fine("%s", told).with(figures), nil
	}
	return fine("%s: declare sources.%s.unique: true, and reading costs a fraction", told, name).with(figures), nil
}

// checkSharedIDs looks for ids that several customers have: they are no ids of events, or events went to the wrong customer.
func checkSharedIDs(ctx context.Context, x *examination, p *profile) (finding, error) {
	id := p.layout.id
	if p.missing[id] == p.rows {
		return skip("no row has %s", id), nil
	}
	rows, err := x.from(ctx, p.layout.name, id)
	if err != nil {
		return finding{}, err
	}
	condition, k := sampleOf(id, p.rows)
	got, err := x.one(ctx, "SELECT toInt64(count()) AS ids, toInt64(countIf(low != high)) AS shared FROM (SELECT min(cityHash64(customer_id)) AS low, max(cityHash64(customer_id)) AS high FROM "+rows+
		" WHERE "+id+" != '' AND "+condition+" GROUP BY cityHash64("+id+"))")
	if err != nil {
		return finding{}, err
	}
	s := share(got["shared"], got["ids"])
	figures := Figures{"ids": figure(got["ids"]), "shared": figureOf(s)}
	if s > strangeShare {
		return warn(fmt.Sprintf("map %s to the id of a row, or leave it unmapped", id), "%s of %s ids in %s (%s) belong to several customers", spoken.Count(got["shared"]), spoken.Count(got["ids"]), id, percent(s)).with(figures), nil
	}
	if k > 1 {
		return fine("in a sample of %s ids in %s, %s belong to several customers", spoken.Count(got["ids"]), id, percent(s)).with(figures), nil
	}
	return fine("%s of %s ids in %s belong to several customers", percent(s), spoken.Count(got["ids"]), id).with(figures), nil
}
