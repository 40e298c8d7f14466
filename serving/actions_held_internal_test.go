package serving

import (
	"fmt"
	"strings"
	"testing"

	"retain/models/actions"
)

// More different words than there are codes are refused: a code taken twice would tell one customer the words of another.
func TestDecisionsOfTooManyWords(t *testing.T) {
	const each = 60
	n := (1<<16 - 1) / each
	d, words := &decided{rows: make([]decidedRow, n+1)}, map[string]uint16{}
	var err error
	for i := range n + 1 {
		made := actions.Decision{Chosen: "call"}
		for k := range each {
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: "call", Reason: fmt.Sprint("reason ", i*each+k)})
		}
		if err = d.add(i, &made, words); err != nil {
			if i < n {
				t.Fatalf("after %d words: %v", len(words), err)
			}
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "more than 65536 different") {
		t.Errorf("%d words: %v", len(words), err)
	}
	if last := d.gone[n*each-1]; d.words[last.reason] != fmt.Sprint("reason ", n*each-1) {
		t.Errorf("the last reason is %q", d.words[last.reason])
	}
}
