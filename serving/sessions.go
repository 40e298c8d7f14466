package serving

import (
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

const (
	sessionCookie = "retain_session"
	maxSessions   = 10_000
	maxLinks      = 1_000
	linkLength    = 15 * time.Minute // of a one-time sign-in link
)

// tickets is a bounded set of random tokens, each standing for a key's id until it expires. Only hashes are held.
// Browser sessions are one such set, one-time sign-in links another.
type tickets struct {
	now    func() time.Time
	length time.Duration
	most   int

	mu   sync.Mutex
	held map[[sha256.Size]byte]ticket
}

type ticket struct {
	keyID   string
	expires time.Time
}

func newTickets(now func() time.Time, length time.Duration, most int) *tickets {
	return &tickets{now: now, length: length, most: most, held: map[[sha256.Size]byte]ticket{}}
}

// issue returns a new token for the key. A full set first drops what has expired, then what expires soonest.
func (t *tickets) issue(keyID string) string {
	token := base64.RawURLEncoding.EncodeToString(randomBytes(secretBytes))
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.held) >= t.most {
		t.evict(now)
	}
	t.held[sha256.Sum256([]byte(token))] = ticket{keyID, now.Add(t.length)}
	return token
}

// keyOf returns the id of the key that a live token stands for.
func (t *tickets) keyOf(token string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.held[sha256.Sum256([]byte(token))]
	return found.keyID, ok && t.now().Before(found.expires)
}

// take is keyOf that leaves no second use.
func (t *tickets) take(token string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	hash := sha256.Sum256([]byte(token))
	found, ok := t.held[hash]
	delete(t.held, hash)
	return found.keyID, ok && t.now().Before(found.expires)
}

// drop forgets a token.
func (t *tickets) drop(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, sha256.Sum256([]byte(token)))
}

func (t *tickets) evict(now time.Time) {
	var soonest [sha256.Size]byte
	var at time.Time
	for hash, held := range t.held {
		if !now.Before(held.expires) {
			delete(t.held, hash)
			continue
		}
		if at.IsZero() || held.expires.Before(at) {
			soonest, at = hash, held.expires
		}
	}
	if len(t.held) >= t.most {
		delete(t.held, soonest)
	}
}
