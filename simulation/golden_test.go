package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"
)

// What `retain simulate` writes stays as it was, byte for byte, whatever is added to the world: the figures of reports and documents
// were measured on these records. The hashes are those of the records before courses came.
func TestRecordsStayAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"mixed", Options{Customers: 120, Days: 540, Seed: 1}, "6828107b7abd41dd"},
		{"proportional, quiet at the end", Options{Customers: 120, Days: 300, Seed: 9, Effects: ProportionalEffects, Quiet: DefaultEnd.Add(-100 * 24 * time.Hour)}, "e21523426ae43d60"},
		{"none, a short record", Options{Customers: 60, Days: 60, Seed: 3, Effects: NoEffects}, "d7f576ff11f1fe0b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := mustNew(t, c.o)
			hash := sha256.New()
			to := json.NewEncoder(hash)
			one := new(Customer)
			for i := range w.Customers() {
				w.Customer(i, one)
				if err := to.Encode(one); err != nil {
					t.Fatal(err)
				}
			}
			if got := hex.EncodeToString(hash.Sum(nil)[:8]); got != c.want {
				t.Errorf("the records hash to %s, want %s", got, c.want)
			}
		})
	}
}
