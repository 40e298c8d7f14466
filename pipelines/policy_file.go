package pipelines

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"retain/features"
	"retain/internal/tabular"
	"retain/models/offpolicy"
	"retain/training/metrics"
)

// PolicyFileOptions say what to read of a log, and what the new policy is: one of Probability, Probabilities and Like.
type PolicyFileOptions struct {
	Path  string
	Stdin io.Reader         // read when Path is "-"
	Map   map[string]string // column by canonical name: action, reward, propensity, customer, probability; what is absent is called so

	Per     []string // columns whose values part both logs; nil: position, if there is such a column
	Context []string // columns that the reward model may see, beside the action and Per; "*" is all that have no other role

	Propensities string // prefix of the columns with the logged propensity of each action, PREFIX followed by the action; "" = only that of the one taken

	Probability   bool   // column probability holds the new policy's probability of the action taken
	Probabilities string // prefix of the columns with the new policy's probability of each action
	Like          string // a second log: the shares of its actions, by Per, are the new policy

	offpolicy.Options
}

// canonical are the columns that a log has by name.
var canonicalPolicy = []string{"action", "reward", "propensity", "customer", "probability"}

// EvaluatePolicyFile tells what a new policy would have earned from the log of another in a file of any format of import. Rows without a reward are left
// out, and counted. A log that cannot tell gives a report with Refused, and *offpolicy.RefusedError.
// Errors: *PolicyUsageError; a value that is missing or out of range, naming file and line.
func EvaluatePolicyFile(ctx context.Context, o PolicyFileOptions) (*PolicyReport, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	t, err := readPolicyTable(o.Path, o.Stdin, o.want)
	if err != nil {
		return nil, err
	}
	f := &policyFile{o: o, table: t}
	if err := f.log(); err != nil {
		return nil, err
	}
	report := &PolicyReport{Log: t.file, Reward: o.named("reward"), Refused: []PolicyRefusal{}, Notes: []string{}, Verdict: []string{}}
	if f.left > 0 {
		report.Notes = append(report.Notes, fmt.Sprintf("%d rows without a value of %s are left out", f.left, report.Reward))
	}
	policy, err := f.policy(report)
	if err != nil {
		return nil, err
	}
	report.Shares = actionShares(f.l, policy)
	return report, report.evaluate(ctx, f.l, policy, o.Options)
}

// evaluate fills the report; *offpolicy.RefusedError if the log cannot tell.
func (r *PolicyReport) evaluate(ctx context.Context, l *offpolicy.Log, p offpolicy.Policy, o offpolicy.Options) error {
	if o.Reward == "" {
		o.Reward = offpolicy.LinearReward
	}
	e, err := offpolicy.Evaluate(ctx, l, p, o)
	refusals := offpolicy.Refusals(err)
	if err != nil && refusals == nil {
		return err
	}
	if refusals != nil {
		nan := offpolicy.Interval{Value: math.NaN(), SE: math.NaN(), Low: math.NaN(), High: math.NaN()}
		none := offpolicy.Estimate{Interval: nan, Gain: nan}
		e.Logged, e.SNIPS, e.DoublyRobust, e.IPS = nan, none, none, none
		r.OnPolicy = nil
		r.fill(e, o)
		r.refuse(refusals)
		return err
	}
	r.fill(e, o)
	if c := r.OnPolicy; c != nil {
		for name, v := range map[string]offpolicy.Estimate{"snips": e.SNIPS, "doubly_robust": e.DoublyRobust} {
			if !math.IsNaN(v.Value) {
				c.Within[name] = math.Abs(v.Value-float64(c.Value)) <= 1.96*math.Hypot(v.SE, float64(c.SE))
			}
		}
	}
	r.judge()
	return nil
}

func (o *PolicyFileOptions) check() error {
	for name := range o.Map {
		if !slices.Contains(canonicalPolicy, name) {
			return policyUsage("--map %s=…: a log has the columns %s", name, strings.Join(canonicalPolicy, ", "))
		}
	}
	if _, mapped := o.Map["probability"]; mapped {
		o.Probability = true
	}
	ways := 0
	for _, given := range []bool{o.Probability, o.Probabilities != "", o.Like != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return policyUsage("say what the new policy is, in one way: --like LOG (the shares of its actions), --probability (a column with its probability of the action taken), " +
			"or --probabilities PREFIX (columns with those of each action)")
	}
	return nil
}

// named is the name of a canonical column.
func (o *PolicyFileOptions) named(canonical string) string {
	if name, ok := o.Map[canonical]; ok {
		return name
	}
	return canonical
}

// role is what a column serves for by its canonical name, "" for none.
func (o *PolicyFileOptions) role(name string) string {
	for _, canonical := range canonicalPolicy {
		if name == tabular.Normalise(o.named(canonical)) {
			return canonical
		}
	}
	if _, mapped := o.Map["customer"]; !mapped && name == "customer_id" {
		return "customer"
	}
	return ""
}

// want tells which columns to read.
func (o *PolicyFileOptions) want(name string) (read, numeric bool) {
	if role := o.role(name); role != "" {
		return true, role != "action" && role != "customer"
	}
	if o.Propensities != "" && strings.HasPrefix(name, tabular.Normalise(o.Propensities)) || o.Probabilities != "" && strings.HasPrefix(name, tabular.Normalise(o.Probabilities)) {
		return true, true
	}
	named := func(list []string) bool {
		return slices.ContainsFunc(list, func(c string) bool { return tabular.Normalise(c) == name })
	}
	return o.Per == nil && name == "position" || named(o.Per) || named(o.Context) || slices.Contains(o.Context, "*"), false
}

// policyFile is a log on its way from file to evaluation.
type policyFile struct {
	o     PolicyFileOptions
	table *policyTable
	rows  []int // of the table, that have a reward
	left  int   // that have none
	l     *offpolicy.Log
	per   []string // columns that part the log
}

// log makes the log of the table's rows.
func (f *policyFile) log() error {
	t, o := f.table, &f.o
	action, err := t.find(o.named("action"), "--map action=COLUMN")
	if err != nil {
		return err
	}
	reward, err := t.find(o.named("reward"), "--map reward=COLUMN")
	if err != nil {
		return err
	}
	for i, r := range reward.numbers {
		if math.IsNaN(r) {
			f.left++
			continue
		}
		f.rows = append(f.rows, i)
	}
	l := &offpolicy.Log{}
	f.l = l
	for _, i := range f.rows {
		if action.rows[i] < 0 {
			return fmt.Errorf("%s:%d: %s is empty: every row of a log has an action, doing nothing too", t.file, t.lines[i], o.named("action"))
		}
		l.Reward = append(l.Reward, reward.numbers[i])
	}
	l.Actions = append(l.Actions, action.levels...)
	slices.Sort(l.Actions)
	place := make([]int32, len(action.levels))
	for k, a := range action.levels {
		at, _ := slices.BinarySearch(l.Actions, a)
		place[k] = int32(at)
	}
	for _, i := range f.rows {
		l.Action = append(l.Action, place[action.rows[i]])
	}
	if customer := f.customer(); customer != nil {
		for _, i := range f.rows {
			l.Customer = append(l.Customer, customer.text(i))
		}
	}
	if err := f.strata(); err != nil {
		return err
	}
	if err := f.context(); err != nil {
		return err
	}
	return f.propensities()
}

// customer is the column of customers, nil where there is none.
func (f *policyFile) customer() *policyColumn {
	if c, ok := f.table.column[tabular.Normalise(f.o.named("customer"))]; ok {
		return c
	}
	return f.table.column["customer_id"]
}

// strata parts the log by the columns of Per.
func (f *policyFile) strata() error {
	f.per = f.o.Per
	if f.per == nil && f.table.column["position"] != nil {
		f.per = []string{"position"}
	}
	if len(f.per) == 0 {
		return nil
	}
	keys, err := strataOf(f.table, f.per, f.rows)
	if err != nil {
		return err
	}
	number := map[string]int32{}
	for _, key := range keys {
		k, ok := number[key]
		if !ok {
			k = int32(len(f.l.Strata))
			number[key] = k
			f.l.Strata = append(f.l.Strata, key)
		}
		f.l.Stratum = append(f.l.Stratum, k)
	}
	return nil
}

// strataOf is the stratum of each of the rows, in words.
func strataOf(t *policyTable, per []string, rows []int) ([]string, error) {
	out := make([]string, len(rows))
	for _, name := range per {
		c, err := t.find(name, "--per COLUMN")
		if err != nil {
			return nil, err
		}
		for k, i := range rows {
			out[k] = strings.TrimPrefix(out[k]+", "+name+" "+c.text(i), ", ")
		}
	}
	return out, nil
}

// context takes the columns that the reward model may see.
func (f *policyFile) context() error {
	names := slices.Clone(f.per)
	for _, name := range f.o.Context {
		if name != "*" {
			names = append(names, name)
			continue
		}
		for _, other := range f.table.names {
			if read, numeric := f.o.want(other); read && !numeric && f.o.role(other) == "" {
				names = append(names, other)
			}
		}
	}
	x, seen := &features.Matrix{}, map[string]bool{}
	for _, name := range names {
		c, err := f.table.find(name, "--context COLUMN")
		if err != nil {
			return err
		}
		if name = tabular.Normalise(name); seen[name] {
			continue
		}
		seen[name] = true
		if c.numeric {
			return policyUsage("--context %s: the column serves as something else already", name)
		}
		column, values := c.feature(name, f.rows)
		x.Schema, x.X = append(x.Schema, column), append(x.X, values)
	}
	if len(x.X) > 0 {
		f.l.X = x
	}
	return nil
}

// propensities fills those of the action taken, and of all where the log has them.
func (f *policyFile) propensities() error {
	l, t := f.l, f.table
	if f.o.Propensities != "" {
		all, err := f.each(f.o.Propensities, "--propensities")
		if err != nil {
			return err
		}
		for k, a := range l.Action {
			l.Propensity = append(l.Propensity, all[a][k])
		}
		l.Each = eachOf(all)
		return nil
	}
	c, err := t.find(f.o.named("propensity"), "--map propensity=COLUMN: the probability with which the logged policy took the action. A log without it cannot tell what another policy is worth")
	if err != nil {
		return err
	}
	l.Propensity, err = f.probabilities(c, f.o.named("propensity"))
	return err
}

// probabilities are a column at the rows of the log. Errors: one that is missing or not in [0, 1].
func (f *policyFile) probabilities(c *policyColumn, name string) ([]float64, error) {
	out := make([]float64, len(f.rows))
	for k, i := range f.rows {
		if out[k] = c.numbers[i]; !(out[k] >= 0 && out[k] <= 1) {
			return nil, fmt.Errorf("%s:%d: %s is %q: it is a probability, from 0 to 1", f.table.file, f.table.lines[i], name, c.text(i))
		}
	}
	return out, nil
}

// each are the probabilities of all actions, from the columns PREFIX followed by the action. Other columns of the prefix are actions that the log has not taken.
func (f *policyFile) each(prefix, flag string) ([][]float64, error) {
	for _, name := range f.table.names {
		action, ok := strings.CutPrefix(name, tabular.Normalise(prefix))
		if _, read := f.table.column[name]; !ok || !read || f.o.role(name) != "" {
			continue
		}
		if !slices.ContainsFunc(f.l.Actions, func(a string) bool { return tabular.Normalise(a) == action }) {
			f.l.Actions = append(f.l.Actions, action)
		}
	}
	out := make([][]float64, len(f.l.Actions))
	for a, action := range f.l.Actions {
		c, ok := f.table.column[tabular.Normalise(prefix+action)]
		if !ok {
			out[a] = make([]float64, len(f.rows)) // an action of the other policy alone
			continue
		}
		var err error
		if out[a], err = f.probabilities(c, prefix+action); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(f.l.Actions, func(a string) bool { return f.table.column[tabular.Normalise(prefix+a)] != nil }) {
		return nil, policyUsage("%s %s: %s has no column %s followed by an action; it has %s", flag, prefix, f.table.file, prefix, strings.Join(f.table.header, ", "))
	}
	return out, nil
}

// eachOf writes a row of columns of probabilities. Actions that came after them, of the other policy alone, have 0.
func eachOf(columns [][]float64) func(dst []float64, row int) {
	return func(dst []float64, row int) {
		clear(dst)
		for a := range columns {
			dst[a] = columns[a][row]
		}
	}
}

// actionShares are how often the policies take the actions, by their probabilities where the log has those of all, the new policy's favourites first.
func actionShares(l *offpolicy.Log, p offpolicy.Policy) []PolicyShare {
	n := float64(l.Rows())
	out := make([]PolicyShare, len(l.Actions))
	for a, name := range l.Actions {
		out[a] = PolicyShare{Action: name, New: metrics.Figure(math.NaN())}
	}
	mean := func(each func(dst []float64, row int)) []float64 {
		all, sum := make([]float64, len(l.Actions)), make([]float64, len(l.Actions))
		for i := range l.Action {
			each(all, i)
			for a, v := range all {
				sum[a] += v / n
			}
		}
		return sum
	}
	if l.Each != nil {
		for a, v := range mean(l.Each) {
			out[a].Logged = metrics.Figure(v)
		}
	} else {
		for _, a := range l.Action {
			out[a].Logged += metrics.Figure(1 / n)
		}
	}
	if p.Each != nil {
		for a, v := range mean(p.Each) {
			out[a].New = metrics.Figure(v)
		}
		slices.SortStableFunc(out, func(x, y PolicyShare) int { return compareFalling(float64(x.New), float64(y.New)) })
	}
	return out
}

func compareFalling(x, y float64) int {
	switch {
	case x > y:
		return -1
	case x < y:
		return 1
	}
	return 0
}
