package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/rule"
	"retain/internal/warehouse"
)

// StageMonths is how many month starts before a run's cutoff have stages, so that transitions have a history at once.
const StageMonths = 12

// Stages finds the lifecycle stages of everyone at a cutoff, and keeps those of past month starts. It serves one piece of work in one goroutine.
type Stages struct {
	DB      *warehouse.Warehouse // required
	Sources features.Sources
	Rules   *lifecycle.Rules   // required
	Churn   features.ChurnSpec // who is alive: that of the model that scores
	Now     func() time.Time   // nil means time.Now
	Say     func(string)       // told what takes a while; nil discards

	remembering *features.Store // of one piece of work; see store
}

// staged are the stages of everyone at a cutoff, in the order of ids: some 20 bytes a customer beside its id.
type staged struct {
	cutoff   time.Time
	customer []string
	place    []uint8 // in Set.All
	previous []uint8 // 1 + place; 0 = none was seen
	since    []int64 // Unix milliseconds
}

// store is one store for all cutoffs of s, which lives for one piece of work.
func (s *Stages) store() *features.Store {
	if s.remembering == nil {
		s.remembering = (&features.Store{DB: s.DB, Sources: s.Sources}).Remembering()
	}
	return s.remembering
}

func (s *Stages) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// at finds the stages of a population. former are the stages before it, nil for none.
func (s *Stages) at(ctx context.Context, p *features.Population, former *staged) (*staged, error) {
	columns, err := s.columns(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.rule(p, former, columns), ctx.Err()
}

// rule asks the rules about everyone, on all threads.
func (s *Stages) rule(p *features.Population, former *staged, columns *rule.Columns) *staged {
	n := len(p.Customer)
	out := &staged{cutoff: p.Cutoff, customer: p.Customer, place: make([]uint8, n), previous: make([]uint8, n), since: make([]int64, n)}
	now := p.Cutoff.UnixMilli()
	var group sync.WaitGroup
	threads := runtime.GOMAXPROCS(0)
	for t := range threads {
		group.Go(func() {
			lo, hi := t*n/threads, (t+1)*n/threads
			if lo == hi {
				return
			}
			before := former.from(p.Customer[lo])
			c := lifecycle.Customer{Features: columns}
			for i := lo; i < hi; i++ {
				c.Status, c.StatusCode, c.Row, c.Former, c.FormerDays = p.Status[i], p.StatusCode[i], i, "", 0
				k, known := before.find(p.Customer[i])
				if known {
					c.Former, c.FormerDays = s.Rules.Name(int(former.place[k])), float64(now-former.since[k])/float64(24*time.Hour/time.Millisecond)
				}
				place := uint8(s.Rules.Stage(&c))
				out.place[i], out.since[i] = place, now
				switch {
				case known && former.place[k] == place:
					out.since[i], out.previous[i] = former.since[k], former.previous[k]
				case known:
					out.previous[i] = former.place[k] + 1
				}
			}
		})
	}
	group.Wait()
	return out
}

// from finds customers in the order of ids, from one on.
func (s *staged) from(customer string) *cursor {
	if s == nil {
		return &cursor{}
	}
	c := &cursor{ids: s.customer}
	lo, hi := 0, len(c.ids)
	for lo < hi {
		if mid := (lo + hi) / 2; c.ids[mid] < customer {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	c.i = lo
	return c
}

// columns are the features that the rules read, of everyone.
func (s *Stages) columns(ctx context.Context, p *features.Population) (columns *rule.Columns, err error) {
	if len(s.Rules.Features) == 0 || len(p.Customer) == 0 {
		return &rule.Columns{X: make([][]float32, len(s.Rules.Features)), Levels: make([][]string, len(s.Rules.Features))}, nil
	}
	store := s.store()
	everyone, err := p.Everyone(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, everyone.Close(context.WithoutCancel(ctx))) }()
	x, err := store.Snapshot(ctx, &features.Catalogue{Version: features.DefaultCatalogue().Version, Entries: s.Rules.Features}, everyone)
	if err != nil {
		return nil, fmt.Errorf("compute the features of lifecycle rules: %w", err)
	}
	return lifecycle.Columns(x.X), nil
}

// stageDocument is what is stored beside stages; lifecycle.Decode reads it too.
type stageDocument struct {
	*lifecycle.Set
	Churn json.RawMessage `json:"churn"`           // who is alive
	Input string          `json:"input,omitempty"` // digest of the rows behind a past month start; "" of a scoring run
}

func (s *Stages) document(input string) (string, error) {
	spec := s.Churn
	spec.DataUntil = nil // how far the data reach today says nothing of the past
	churn, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(stageDocument{Set: s.Rules.Set, Churn: churn, Input: input})
	return string(b), err
}

// columnsOf are stages as they are stored.
func (s *Stages) columnsOf(x *staged) warehouse.StageColumns {
	c := warehouse.StageColumns{Customer: x.customer, Stage: make([]string, len(x.place)), Previous: make([]string, len(x.place)), Since: make([]time.Time, len(x.place))}
	for i := range x.place {
		c.Stage[i], c.Since[i] = s.Rules.Name(int(x.place[i])), time.UnixMilli(x.since[i]).UTC()
		if x.previous[i] > 0 {
			c.Previous[i] = s.Rules.Name(int(x.previous[i]) - 1)
		}
	}
	return c
}

// put stores stages under an id.
func (s *Stages) put(ctx context.Context, id string, x *staged, input string) error {
	document, err := s.document(input)
	if err != nil {
		return err
	}
	return s.DB.PutStages(ctx, warehouse.StageSet{RunID: id, Cutoff: x.cutoff, Rules: s.Rules.Version, Document: document, MadeAt: s.now()}, s.columnsOf(x))
}

// load reads stored stages back.
func (s *Stages) load(ctx context.Context, set warehouse.StageSet) (*staged, error) {
	c, err := s.DB.Stages(ctx, set)
	if err != nil {
		return nil, err
	}
	places := map[string]uint8{"": 0}
	for k, name := range s.Rules.Set.Names() {
		places[name] = uint8(k) + 1
	}
	n := len(c.Customer)
	x := &staged{cutoff: set.Cutoff, customer: c.Customer, place: make([]uint8, n), previous: make([]uint8, n), since: make([]int64, n)}
	for i := range c.Customer {
		place := places[c.Stage[i]]
		if place == 0 {
			return nil, fmt.Errorf("lifecycle stages of %s: unknown stage %q", set.Cutoff.Format(time.DateOnly), c.Stage[i])
		}
		x.place[i], x.previous[i], x.since[i] = place-1, places[c.Previous[i]], c.Since[i].UnixMilli()
	}
	return x, nil
}

// id is the hash of all that is stored of the stages of a past month start.
func (s *Stages) id(x *staged, document string) string {
	h := sha256.New()
	hashText(h, "lifecycle month")
	hashText(h, s.Rules.Version)
	hashText(h, document)
	x.hash(h)
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// hash adds the stages to an identity.
func (s *staged) hash(h interface{ Write([]byte) (int, error) }) {
	var b [10]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(s.cutoff.UnixMilli()))
	_, _ = h.Write(b[:8]) // a hash never fails
	for i, id := range s.customer {
		_, _ = h.Write([]byte(id))
		binary.LittleEndian.PutUint64(b[:8], uint64(s.since[i]))
		b[8], b[9] = s.place[i], s.previous[i]
		_, _ = h.Write(b[:])
	}
}
