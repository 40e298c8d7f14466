package pipelines

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"retain/models/offpolicy"
)

// shareLog writes a log of a policy that takes each action with the given shares by position, rewarded at a rate that depends on both.
func shareLog(t *testing.T, name string, rows int, shares [2][3]float64) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(rows), uint64(len(name))))
	var out strings.Builder
	out.WriteString("Item ID,position,click,propensity_score,who,segment\n")
	for i := range rows {
		position := rng.IntN(2)
		a, u := 0, rng.Float64()
		for a < 2 && u >= shares[position][a] {
			u -= shares[position][a]
			a++
		}
		click := 0
		if rng.Float64() < clickRate(position, a) {
			click = 1
		}
		fmt.Fprintf(&out, "item%d,%d,%d,%v,c%d,%s\n", a, position+1, click, shares[position][a], i/2, []string{"x", "y"}[i%2])
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func clickRate(position, action int) float64 {
	return .02 + .03*float64(action) + .02*float64(position)
}

var evenShares = [2][3]float64{{1. / 3, 1. / 3, 1. / 3}, {1. / 3, 1. / 3, 1. / 3}}

// Each log tells what the other's policy earns, as on_policy has it.
func TestPolicyOfASecondLog(t *testing.T) {
	leaning := [2][3]float64{{.1, .2, .7}, {.2, .3, .5}}
	even, lean := shareLog(t, "even.csv", 8000, evenShares), shareLog(t, "lean.csv", 8001, leaning)
	names := map[string]string{"action": "item_id", "reward": "click", "propensity": "propensity_score", "customer": "who"}
	for _, pair := range [][2]string{{even, lean}, {lean, even}} {
		r, err := EvaluatePolicyFile(t.Context(), PolicyFileOptions{Path: pair[0], Like: pair[1], Map: names, Context: []string{"segment"}, Options: offpolicy.Options{Seed: 1, Draws: 300}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows < 8000 || r.Customers != (r.Rows+1)/2 || len(r.Estimates) != 3 || r.Estimates[0].Name != "snips" || r.Estimates[1].Name != "doubly_robust" {
			t.Errorf("%d rows of %d customers, %+v", r.Rows, r.Customers, r.Estimates)
		}
		for name, within := range r.OnPolicy.Within {
			if !within {
				t.Errorf("%s of %s: %+v against %+v", name, filepath.Base(pair[0]), r.Estimates, r.OnPolicy)
			}
		}
		if len(r.OnPolicy.Within) != 2 || !strings.Contains(r.Policy, "by position") {
			t.Errorf("%+v, %s", r.OnPolicy, r.Policy)
		}
	}
}

// A log of three rows by hand, in every form of the new policy.
func TestPolicyColumns(t *testing.T) {
	const text = `action,reward,propensity,new,new_a,new_b,old_a,old_b
a,1,0.5,0.25,0.25,0.75,0.5,0.5
b,0,0.5,0.75,0.25,0.75,0.5,0.5
b,1,0.5,0.75,0.25,0.75,0.5,0.5
a,,0.5,0.25,0.25,0.75,0.5,0.5
`
	want := (.5*1 + 1.5*0 + 1.5*1) / 3.5
	for _, c := range []struct {
		name string
		o    PolicyFileOptions
		dr   bool
	}{
		{"of the action taken", PolicyFileOptions{Map: map[string]string{"probability": "new"}}, false},
		{"of each action", PolicyFileOptions{Probabilities: "new_"}, true},
		{"both policies of each action", PolicyFileOptions{Probabilities: "new_", Propensities: "old_"}, true},
	} {
		c.o.Path, c.o.Stdin, c.o.Options = "-", strings.NewReader(text), offpolicy.Options{Draws: 50}
		r, err := EvaluatePolicyFile(t.Context(), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := float64(r.Estimates[0].Value); math.Abs(got-want) > 1e-12 || r.Rows != 3 || r.Estimates[1].Value.Defined() != c.dr {
			t.Errorf("%s: SNIPS %v of %d rows, want %v of 3; doubly robust %v", c.name, got, r.Rows, want, r.Estimates[1].Value)
		}
		if !strings.Contains(strings.Join(r.Notes, ";"), "1 rows without a value of reward are left out") {
			t.Errorf("%s: notes %q", c.name, r.Notes)
		}
	}
}

func TestPolicyFileRefused(t *testing.T) {
	log := func(rows ...string) string {
		return "action,reward,propensity,new,position\n" + strings.Join(rows, "\n") + "\n"
	}
	good := log("a,1,0.5,0.5,1", "b,0,0.5,0.5,1", "a,0,0.5,0.5,2")
	like := filepath.Join(t.TempDir(), "like.csv")
	if err := os.WriteFile(like, []byte("action,position\na,1\nc,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	named := map[string]string{"probability": "new"}
	for _, c := range []struct {
		name, text string
		o          PolicyFileOptions
		words      string
		usage      bool
	}{
		{"no new policy", good, PolicyFileOptions{}, "say what the new policy is", true},
		{"two of them", good, PolicyFileOptions{Map: named, Like: like}, "in one way", true},
		{"unknown canonical", good, PolicyFileOptions{Map: map[string]string{"prob": "new"}}, "a log has the columns action, reward", true},
		{"no such column", good, PolicyFileOptions{Map: map[string]string{"reward": "gain", "probability": "new"}}, `no column "gain"`, true},
		{"no propensity", "action,reward,new\na,1,0.5\nb,0,0.5\n", PolicyFileOptions{Map: named}, "cannot tell what another policy is worth", true},
		{"a propensity beyond 1", log("a,1,0.5,0.5,1", "b,0,1.5,0.5,1"), PolicyFileOptions{Map: named}, ":3: propensity is \"1.5\"", false},
		{"a propensity that is missing", log("a,1,0.5,0.5,1", "b,0,,0.5,1"), PolicyFileOptions{Map: named}, ":3: propensity is \"\"", false},
		{"a reward that is no number", log("a,1,0.5,0.5,1", "b,yes,0.5,0.5,1"), PolicyFileOptions{Map: named}, ":3: reward: \"yes\" is no number", false},
		{"no action", log("a,1,0.5,0.5,1", ",1,0.5,0.5,1"), PolicyFileOptions{Map: named}, ":3: action is empty", false},
		{"a stratum of the log alone", good, PolicyFileOptions{Like: like}, "no row at position 2", false},
		{"no columns of a prefix", good, PolicyFileOptions{Probabilities: "q_"}, "no column q_ followed by an action", true},
		{"an action of the new policy alone", log("a,1,0.5,0.5,1", "b,0,0.5,0.5,1"), PolicyFileOptions{Like: like}, "their logged propensity being 0: c", false},
		{"an action of the new policy alone, beside all propensities", "action,reward,old_a,old_b,new_a,new_b,new_c\na,1,0.5,0.5,0.2,0.3,0.5\nb,0,0.5,0.5,0.2,0.3,0.5\n",
			PolicyFileOptions{Propensities: "old_", Probabilities: "new_"}, "their logged propensity being 0: c", false},
		{"a propensity of 0", log("a,1,0.5,0.5,1", "b,0,0,0.5,1"), PolicyFileOptions{Map: named}, "their logged propensity being 0: b", false},
	} {
		c.o.Path, c.o.Stdin = "-", strings.NewReader(c.text)
		_, err := EvaluatePolicyFile(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want it to say %q", c.name, err, c.words)
			continue
		}
		if usage := errors.As(err, new(*PolicyUsageError)); usage != c.usage {
			t.Errorf("%s: usage %v, want %v", c.name, usage, c.usage)
		}
	}
}
