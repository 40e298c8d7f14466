package serving

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scopes of API keys. ScopeAdmin implies every other one.
const (
	ScopeScoresRead   = "scores:read"
	ScopeActionsWrite = "actions:write"
	ScopeEventsWrite  = "events:write"
	ScopeModelsWrite  = "models:write"
	ScopeAdmin        = "admin"
	ScopeMetrics      = "metrics"
)

// Scopes lists every scope that a key can have.
var Scopes = []string{ScopeScoresRead, ScopeActionsWrite, ScopeEventsWrite, ScopeModelsWrite, ScopeAdmin, ScopeMetrics}

// errKey says that a token is malformed, unknown, revoked or expired; which of them is nobody's business.
var errKey = errors.New("serving: key is unknown, revoked or expired")

// Key is what is kept of an API key: everything but its secret.
type Key struct {
	ID        string     // 12 characters of a-z and 2-7
	Hash      string     // SHA-256 of the 256 secret bits, 64 hexadecimal digits
	Scopes    []string   // of Scopes
	Label     string     // free text, for the people who list keys
	CreatedAt time.Time  // UTC
	ExpiresAt *time.Time // nil never; the key is dead at this instant
	RevokedAt *time.Time // nil not revoked; the key is dead whatever the instant
}

// KeySpec is what the maker of a key chooses.
type KeySpec struct {
	Scopes    []string   // at least one, of Scopes
	Label     string     // optional
	CreatedAt time.Time  // required
	ExpiresAt *time.Time // nil never
}

// keyText spells ids and secrets: lower case, no look-alikes, one word under a double click.
var keyText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

const (
	secretBytes = 32 // 256 bits: nothing to guess, so a plain SHA-256 keeps it
	idBytes     = 8
	idLength    = 12
)

// NewKey draws a key from the system's randomness. The token, rk_ID_SECRET, is told once and kept nowhere.
// Errors: no scope, an unknown scope, an expiry that is not after the creation.
func NewKey(spec KeySpec) (Key, string, error) {
	if len(spec.Scopes) == 0 {
		return Key{}, "", fmt.Errorf("a key needs at least one scope of %s", strings.Join(Scopes, " "))
	}
	for _, scope := range spec.Scopes {
		if !slices.Contains(Scopes, scope) {
			return Key{}, "", fmt.Errorf("unknown scope %q: use some of %s", scope, strings.Join(Scopes, " "))
		}
	}
	if spec.ExpiresAt != nil && !spec.ExpiresAt.After(spec.CreatedAt) {
		return Key{}, "", fmt.Errorf("the key would expire at %s, before it is made", spec.ExpiresAt.UTC().Format(time.RFC3339))
	}
	id := keyText.EncodeToString(randomBytes(idBytes))[:idLength]
	secret := randomBytes(secretBytes)
	k := Key{
		ID:        id,
		Hash:      hashSecret(secret),
		Scopes:    slices.Clone(spec.Scopes),
		Label:     spec.Label,
		CreatedAt: spec.CreatedAt.UTC(),
		ExpiresAt: spec.ExpiresAt,
	}
	return k, "rk_" + id + "_" + keyText.EncodeToString(secret), nil
}

// Allows says whether the key has the scope, itself or by admin.
func (k Key) Allows(scope string) bool {
	return slices.Contains(k.Scopes, scope) || slices.Contains(k.Scopes, ScopeAdmin)
}

// Alive says whether the key is neither revoked nor expired at now.
func (k Key) Alive(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// matches compares the secret with the key's hash in constant time.
func (k Key) matches(secret []byte) bool {
	return subtle.ConstantTimeCompare([]byte(hashSecret(secret)), []byte(k.Hash)) == 1
}

// parseToken splits rk_ID_SECRET into the id and the secret bits.
func parseToken(token string) (id string, secret []byte, err error) {
	rest, ok := strings.CutPrefix(token, "rk_")
	if !ok {
		return "", nil, errKey
	}
	id, text, ok := strings.Cut(rest, "_")
	if !ok || len(id) != idLength {
		return "", nil, errKey
	}
	secret, err = keyText.DecodeString(text)
	if err != nil || len(secret) != secretBytes {
		return "", nil, errKey
	}
	return id, secret, nil
}

func hashSecret(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// randomBytes never fails: crypto/rand ends the process when the system has no randomness.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
