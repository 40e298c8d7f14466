package doctor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/features"
	"retain/internal/warehouse"
)

// settings of every statement: grouping by customer spills to disk rather than fill the memory.
const spill = " SETTINGS max_bytes_before_external_group_by = 2000000000, join_use_nulls = 0"

// examination is one run of the checks: what is read once and used by several of them.
type examination struct {
	Options
	now      time.Time
	rows     *features.Store // every row and column as it stands: nothing hidden, nothing de-duplicated in own tables
	profiles map[string]*profile
	failed   map[string]error // sources that cannot be read
	joined   map[string]*joined
	labelled []labelled // newest first
}

func newExamination(o Options) *examination {
	now := time.Now
	if o.Now != nil {
		now = o.Now
	}
	return &examination{
		Options: o, now: now().UTC(), rows: &features.Store{DB: o.Store.DB, Sources: bare(o.Store.Sources, true)},
		profiles: map[string]*profile{}, failed: map[string]error{}, joined: map[string]*joined{},
	}
}

// close drops what the labelled populations hold.
func (x *examination) close(ctx context.Context) error {
	var first error
	for _, l := range x.labelled {
		if err := l.population.Close(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// bare are the bindings with every column declared static, so that nothing is hidden. With all, own tables are taken as unique, so that every
// row of them is read.
func bare(s features.Sources, all bool) features.Sources {
	out := maps.Clone(s)
	if out == nil {
		out = features.Sources{}
	}
	for _, l := range layouts {
		b := out[l.name]
		b.Static = append(slices.Clone(b.Static), l.columnNames()...)
		b.Unique = all || b.Unique
		out[l.name] = b
	}
	return out
}

// readProfiles reads each source once.
func (x *examination) readProfiles(ctx context.Context) {
	for _, l := range layouts {
		p, err := x.readProfile(ctx, l)
		if err != nil {
			x.failed[l.name] = err
		}
		x.profiles[l.name] = p
	}
}

// profile returns the profile of a source, of no rows where it cannot be read.
func (x *examination) profile(source string) *profile {
	if p := x.profiles[source]; p != nil {
		return p
	}
	return &profile{layout: layoutOf(source)}
}

// dataEnd is the newest event of any source that is not in the future.
func (x *examination) dataEnd() time.Time {
	var end time.Time
	for _, source := range facts {
		if p := x.profile(source); p.rows > 0 && p.newest.After(end) {
			end = p.newest
		}
	}
	return end
}

// from is the FROM-expression of all rows of a source as they stand.
func (x *examination) from(ctx context.Context, source string, columns ...string) (string, error) {
	return x.rows.Versions(ctx, source, columns, warehouse.EndOfTime)
}

// one reads the single row of a statement whose columns are Int64, by name.
func (x *examination) one(ctx context.Context, query string) (map[string]int64, error) {
	out := map[string]int64{}
	err := x.each(ctx, query, func(b *warehouse.Block, i int) {
		for _, name := range b.Columns() {
			out[name] = b.Int64s(name)[i]
		}
	})
	return out, err
}

// each calls f for each row of a statement.
func (x *examination) each(ctx context.Context, query string, f func(b *warehouse.Block, i int)) error {
	for b, err := range x.Store.DB.Blocks(ctx, query+spill, nil) {
		if err != nil {
			return err
		}
		for i := range b.Rows() {
			f(b, i)
		}
	}
	return nil
}

// millis writes an instant as milliseconds since 1970.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// memoryLimit is ClickHouse's code of a statement that wants more memory than there is.
const memoryLimit = 241

// mendOf is the step after a source could not be read.
func mendOf(err error, source string) string {
	if source == "" {
		return "run `retain config check`, then look at the message"
	}
	var binding *features.BindingError
	if errors.As(err, &binding) || features.Unfit(err) != "" {
		return "correct sources." + source + " in retain.yaml"
	}
	var exception *clickhouse.Exception
	if errors.As(err, &exception) && exception.Code == memoryLimit {
		return "give the engine more memory, or move old rows of " + source + " out of the way"
	}
	return "correct sources." + source + " in retain.yaml: table and columns must name what there is"
}
