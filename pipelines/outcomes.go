package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"retain/internal/warehouse"
	"retain/models/actions"
)

// Sources of outcomes: who told them.
const (
	OutcomeFromAPI      = "api"
	OutcomeFromConsole  = "console"
	OutcomeFromImport   = "import"
	OutcomeFromContacts = "contacts"
)

// Outcomes writes and reads what came of decisions.
type Outcomes struct {
	DB  *warehouse.Warehouse
	Now func() time.Time // nil means time.Now
}

func (o Outcomes) now() time.Time {
	if o.Now != nil {
		return o.Now().UTC().Truncate(time.Millisecond)
	}
	return time.Now().UTC().Truncate(time.Millisecond)
}

// judged is what becomes of a report.
type judged struct {
	row       warehouse.OutcomeRow
	late      bool
	duplicate bool  // it was told before
	fault     error // actions.ErrUnknownDecision or *actions.ContradictionError
}

// lookupIDs is how many decisions are looked up by one statement: their ids travel as a parameter of some 70 kB.
const lookupIDs = 2000

// outcomeLog judges reports against the log and what was told in the same go.
type outcomeLog struct {
	o      Outcomes
	source string
	now    time.Time
	latest map[outcomeKey]warehouse.OutcomeRow // told in this go
}

type outcomeKey struct{ decision, outcome string }

func (o Outcomes) open(source string) *outcomeLog {
	return &outcomeLog{o: o, source: source, now: o.now(), latest: map[outcomeKey]warehouse.OutcomeRow{}}
}

// judge tells for each report what becomes of it. A report without a time repeats whatever was told of the same decision, outcome and
// action; one with a time repeats what was told last with the same time, else it is a new version, a correction.
func (l *outcomeLog) judge(ctx context.Context, reports []actions.Report) ([]judged, error) {
	ids := make([]string, 0, len(reports))
	for _, r := range reports {
		ids = append(ids, r.Decision)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	heads, held := map[string]warehouse.DecisionHead{}, map[outcomeKey]warehouse.OutcomeRow{}
	for some := range slices.Chunk(ids, lookupIDs) {
		found, err := l.o.DB.DecisionHeads(ctx, some)
		if err != nil {
			return nil, err
		}
		for id, head := range found {
			heads[id] = head
		}
		told, err := l.o.DB.OutcomesOf(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, row := range told {
			held[outcomeKey{row.DecisionID, row.Outcome}] = row
		}
	}
	out := make([]judged, len(reports))
	for i, r := range reports {
		head, ok := heads[r.Decision]
		if !ok {
			out[i].fault = actions.ErrUnknownDecision
			continue
		}
		logged := actions.Logged{RunID: head.RunID, DecisionID: head.DecisionID, CustomerID: head.CustomerID, Chosen: head.Chosen, Cutoff: head.Cutoff,
			Holdout: head.Holdout, Actions: head.Actions, Expires: head.Expiries}
		came, err := logged.Judge(r, l.now)
		if err != nil {
			var contradiction *actions.ContradictionError
			if errors.As(err, &contradiction) {
				contradiction.Index = i
			}
			out[i].fault = err
			continue
		}
		key := outcomeKey{r.Decision, r.Outcome}
		before, told := l.latest[key]
		if !told {
			before, told = held[key]
		}
		if told && before.Action == came.Action && (r.At.IsZero() || before.At.Equal(came.At)) {
			out[i] = judged{row: before, late: before.Late, duplicate: true}
			continue
		}
		row := warehouse.OutcomeRow{RunID: head.RunID, Cutoff: head.Cutoff, DecisionID: head.DecisionID, CustomerID: head.CustomerID, Action: came.Action,
			Outcome: came.Outcome, At: came.At, IngestedAt: l.now, Late: came.Late, Source: l.source, Version: before.Version}
		out[i] = judged{row: row, late: came.Late}
		row.Version++
		l.latest[key] = row
	}
	return out, nil
}

// Record takes what is told of decisions, all of it or nothing. Telling the same again changes nothing. Errors:
// actions.ErrUnknownDecision, *actions.ContradictionError.
func (o Outcomes) Record(ctx context.Context, reports []actions.Report, source string) ([]actions.Recorded, error) {
	all, err := o.open(source).judge(ctx, reports)
	if err != nil {
		return nil, err
	}
	var rows []warehouse.OutcomeRow
	out := make([]actions.Recorded, len(all))
	for i, j := range all {
		if j.fault != nil {
			return nil, j.fault
		}
		if !j.duplicate {
			rows = append(rows, j.row)
		}
		out[i] = recordedOf(j.row)
		out[i].Duplicate = j.duplicate
	}
	return out, o.DB.PutOutcomes(ctx, rows)
}

func recordedOf(r warehouse.OutcomeRow) actions.Recorded {
	return actions.Recorded{Outcome: actions.Outcome{Outcome: r.Outcome, Action: r.Action, At: r.At, Late: r.Late, Source: r.Source},
		DecisionID: r.DecisionID, CustomerID: r.CustomerID, RunID: r.RunID, IngestedAt: r.IngestedAt}
}

// Of are the outcomes of one decision that count, by time.
func (o Outcomes) Of(ctx context.Context, decision string) ([]actions.Outcome, error) {
	rows, err := o.DB.OutcomesOf(ctx, []string{decision})
	if err != nil {
		return nil, err
	}
	out := make([]actions.Outcome, len(rows))
	for i, r := range rows {
		out[i] = recordedOf(r).Outcome
	}
	return out, nil
}

// OfRun are the outcomes that count of those decisions of a run of which anything was told at since or later.
func (o Outcomes) OfRun(ctx context.Context, runID string, since time.Time) ([]actions.Recorded, error) {
	rows, err := o.DB.OutcomesOfRun(ctx, runID, since)
	if err != nil {
		return nil, err
	}
	out := make([]actions.Recorded, len(rows))
	for i, r := range rows {
		out[i] = recordedOf(r)
	}
	return out, nil
}

// OutcomeCounts is the JSON of `retain outcomes`.
type OutcomeCounts struct {
	From    *time.Time      `json:"from"` // cutoffs of the decisions, [from, to); null = no bound
	To      *time.Time      `json:"to"`
	Actions []ActionOutcome `json:"actions"`
}

// ActionOutcome is what came of an action. The outcomes count decisions.
type ActionOutcome struct {
	Action      string   `json:"action"`
	Decisions   uint64   `json:"decisions"` // that chose it
	Shown       uint64   `json:"shown"`
	Accepted    uint64   `json:"accepted"`
	Rejected    uint64   `json:"rejected"`
	Ignored     uint64   `json:"ignored"`
	Converted   uint64   `json:"converted"`
	Saved       uint64   `json:"saved"`
	Late        uint64   `json:"late"`         // outcomes that came after the action had expired; they are among the others
	AcceptShare *float64 `json:"accept_share"` // accepted of those accepted, rejected or ignored; null without any
}

// Counts are the outcomes per action, in the order of ids, of decisions whose cutoffs lie in the window.
func (o Outcomes) Counts(ctx context.Context, in warehouse.Window) (*OutcomeCounts, error) {
	chosen, err := o.DB.CountChosen(ctx, in)
	if err != nil {
		return nil, err
	}
	counts, err := o.DB.CountOutcomes(ctx, in)
	if err != nil {
		return nil, err
	}
	of := map[string]*ActionOutcome{}
	at := func(action string) *ActionOutcome {
		if of[action] == nil {
			of[action] = &ActionOutcome{Action: action}
		}
		return of[action]
	}
	for action, n := range chosen {
		at(action).Decisions = n
	}
	for _, c := range counts {
		a := at(c.Action)
		into := map[string]*uint64{actions.OutcomeShown: &a.Shown, actions.OutcomeAccepted: &a.Accepted, actions.OutcomeRejected: &a.Rejected,
			actions.OutcomeIgnored: &a.Ignored, actions.OutcomeConverted: &a.Converted, actions.OutcomeSaved: &a.Saved}[c.Outcome]
		if into == nil {
			return nil, fmt.Errorf("the log has an outcome %q, which this program does not know", c.Outcome)
		}
		*into = c.Decisions
		a.Late += c.Late
	}
	out := &OutcomeCounts{Actions: []ActionOutcome{}}
	for _, bound := range []struct {
		from time.Time
		to   **time.Time
	}{{in.From, &out.From}, {in.To, &out.To}} {
		if !bound.from.IsZero() {
			*bound.to = &bound.from
		}
	}
	for _, a := range of {
		if n := a.Accepted + a.Rejected + a.Ignored; n > 0 {
			share := float64(a.Accepted) / float64(n)
			a.AcceptShare = &share
		}
		out.Actions = append(out.Actions, *a)
	}
	slices.SortFunc(out.Actions, func(a, b ActionOutcome) int {
		switch {
		case a.Action < b.Action:
			return -1
		case a.Action > b.Action:
			return 1
		}
		return 0
	})
	return out, nil
}
