package serving

import (
	"math"
	"sync"
	"time"
)

// Rate is a token bucket for each key: Burst requests at once, refilled at PerSecond.
type Rate struct {
	PerSecond float64 // 0 means 500
	Burst     int     // 0 means 1000
}

// limiter counts requests by key id. Its size is bounded by the number of live keys, because only those are counted.
type limiter struct {
	rate Rate
	now  func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(r Rate, now func() time.Time) *limiter {
	return &limiter{rate: r, now: now, buckets: map[string]*bucket{}}
}

// take spends one token of the key's bucket. Without one it returns how long until the next.
func (l *limiter) take(keyID string) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[keyID]
	if b == nil {
		b = &bucket{tokens: float64(l.rate.Burst), at: now}
		l.buckets[keyID] = b
	}
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.tokens = math.Min(float64(l.rate.Burst), b.tokens+d*l.rate.PerSecond)
		b.at = now
	}
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) / l.rate.PerSecond * float64(time.Second)), false
	}
	b.tokens--
	return 0, true
}
