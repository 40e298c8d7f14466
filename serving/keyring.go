package serving

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// KeyStore is the part of the key table that the service needs.
type KeyStore interface {
	// Keys returns every key that was ever made, revoked ones too, in any order.
	Keys(ctx context.Context) ([]Key, error)
}

const (
	keyReadTimeout = 10 * time.Second
	// keyMissPause bounds the reads that tokens of unknown ids can cause, so that a key works the moment it is made.
	keyMissPause = time.Second
)

// keyring holds the keys in memory. When the store cannot be read it keeps the last list: a revocation is a write to the same store.
type keyring struct {
	store  KeyStore
	now    func() time.Time
	keys   atomic.Pointer[map[string]Key] // nil until the first read
	mu     sync.Mutex                     // one read at a time
	lastAt time.Time                      // of the last read, under mu
}

// refresh reads the store.
func (r *keyring) refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read(ctx)
}

func (r *keyring) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keyReadTimeout)
	defer cancel()
	r.lastAt = r.now()
	list, err := r.store.Keys(ctx)
	if err != nil {
		return err
	}
	keys := make(map[string]Key, len(list))
	for _, k := range list {
		keys[k.ID] = k
	}
	r.keys.Store(&keys)
	return nil
}

// loaded says whether the store was ever read.
func (r *keyring) loaded() bool { return r.keys.Load() != nil }

// byID returns a live key. An id that is not known yet is looked for in the store, so that a key works the moment it is made. Such reads
// are at most one a second: the request waits for its turn, and all that wait share one read.
func (r *keyring) byID(ctx context.Context, id string) (Key, error) {
	k, ok := r.known(id)
	if !ok {
		r.lookAgain(ctx)
		k, ok = r.known(id)
	}
	if !ok || !k.Alive(r.now()) {
		return Key{}, errKey
	}
	return k, nil
}

// lookAgain returns when the store was read after now, or ctx is done.
func (r *keyring) lookAgain(ctx context.Context) {
	held := r.keys.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys.Load() != held {
		return // somebody who waited before read it meanwhile
	}
	if wait := keyMissPause - r.now().Sub(r.lastAt); wait > 0 {
		turn := time.NewTimer(wait)
		defer turn.Stop()
		select {
		case <-turn.C:
		case <-ctx.Done():
			return
		}
	}
	_ = r.read(ctx) // its failure is the poll's to report; here the key is simply not known
}

// byToken returns the live key of a token rk_ID_SECRET, or errKey.
func (r *keyring) byToken(ctx context.Context, token string) (Key, error) {
	id, secret, err := parseToken(token)
	if err != nil {
		return Key{}, err
	}
	k, err := r.byID(ctx, id)
	if !k.matches(secret) || err != nil {
		return Key{}, errKey
	}
	return k, nil
}

func (r *keyring) known(id string) (Key, bool) {
	keys := r.keys.Load()
	if keys == nil {
		return Key{}, false
	}
	k, ok := (*keys)[id]
	return k, ok
}
