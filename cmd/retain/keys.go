package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/warehouse"
	"retain/serving"
)

func (a *app) keysCommand() *cobra.Command {
	return group("keys", "API keys with scopes", a.keysCreateCommand(), a.keysListCommand(), a.keysRevokeCommand())
}

// createdKey is the JSON of `retain keys create`; the key is told here once and kept nowhere.
type createdKey struct {
	ID        string     `json:"id"`
	Key       string     `json:"key"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// createKey makes a key and stores its hash.
func (s *session) createKey(ctx context.Context, spec serving.KeySpec) (createdKey, error) {
	key, token, err := serving.NewKey(spec)
	if err != nil {
		return createdKey{}, usagef("%v", err)
	}
	if err := s.db.PutKey(ctx, warehouse.KeyRow(key)); err != nil {
		return createdKey{}, err
	}
	return createdKey{ID: key.ID, Key: token, Scopes: key.Scopes, ExpiresAt: key.ExpiresAt}, nil
}

func (a *app) keysCreateCommand() *cobra.Command {
	var scopes []string
	var label string
	var expires time.Duration
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Make a key; it is shown once and stored as a hash only",
		Example: "  retain keys create --scopes scores:read --label crm --expires 2160h",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			spec := serving.KeySpec{Scopes: scopes, Label: label, CreatedAt: time.Now().UTC()}
			if cmd.Flags().Changed("expires") {
				at := spec.CreatedAt.Add(expires).Truncate(time.Millisecond)
				spec.ExpiresAt = &at
			}
			if _, _, err := serving.NewKey(spec); err != nil { // before a warehouse is made for nothing
				return usagef("%v", err)
			}
			s, err := a.open(cmd.Context(), "keys create", writing)
			if err != nil {
				return err
			}
			defer s.close(&err)
			created, err := s.createKey(cmd.Context(), spec)
			if err != nil {
				return err
			}
			return a.print(created, func(w io.Writer) {
				fmt.Fprintf(w, "%s\n", created.Key)
				a.say(fmt.Sprintf("key %s with %s; it is not shown again", created.ID, strings.Join(created.Scopes, " ")))
			})
		},
	}
	cmd.Flags().StringSliceVar(&scopes, "scopes", nil, "what the key may do: "+strings.Join(serving.Scopes, ", "))
	cmd.Flags().StringVar(&label, "label", "", "whose it is, for the list")
	cmd.Flags().DurationVar(&expires, "expires", 0, "how long it lives, such as 2160h (default: until revoked)")
	return cmd
}

// listedKey is one key in the JSON of `retain keys list`.
type listedKey struct {
	ID        string     `json:"id"`
	Label     string     `json:"label"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
}

func (a *app) keysListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all keys that were ever made, without their secrets",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(cmd.Context(), "keys list", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			rows, err := s.db.Keys(cmd.Context())
			if err != nil {
				return err
			}
			keys := make([]listedKey, len(rows))
			for i, k := range rows {
				keys[i] = listedKey{ID: k.ID, Label: k.Label, Scopes: k.Scopes, CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt}
			}
			return a.print(map[string]any{"keys": keys}, func(w io.Writer) { printKeys(w, keys) })
		},
	}
}

func printKeys(w io.Writer, keys []listedKey) {
	if len(keys) == 0 {
		fmt.Fprintln(w, "no key yet: `retain keys create --scopes scores:read`")
		return
	}
	table(w, func(line func(string, ...any)) {
		line("id\tlabel\tscopes\tmade\tstate")
		for _, k := range keys {
			state := "alive"
			switch {
			case k.RevokedAt != nil:
				state = "revoked " + k.RevokedAt.Format(time.DateTime)
			case k.ExpiresAt != nil && !time.Now().Before(*k.ExpiresAt):
				state = "expired " + k.ExpiresAt.Format(time.DateTime)
			case k.ExpiresAt != nil:
				state = "alive until " + k.ExpiresAt.Format(time.DateTime)
			}
			line("%s\t%s\t%s\t%s\t%s", k.ID, k.Label, strings.Join(k.Scopes, " "), k.CreatedAt.Format(time.DateTime), state)
		}
	})
}

func (a *app) keysRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke a key; a running service refuses it within 5 seconds",
		Args:  exactly("a key ID"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := a.open(cmd.Context(), "keys revoke", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			rows, err := s.db.Keys(cmd.Context())
			if err != nil {
				return err
			}
			for _, k := range rows {
				if k.ID != args[0] {
					continue
				}
				if err := s.db.RevokeKey(cmd.Context(), k.ID, time.Now().UTC()); err != nil {
					return err
				}
				return a.print(map[string]string{"id": k.ID, "state": "revoked"}, func(w io.Writer) { fmt.Fprintf(w, "key %s is revoked\n", k.ID) })
			}
			return fmt.Errorf("no key %q; `retain keys list` has them (the id is the middle part of rk_ID_SECRET)", args[0])
		},
	}
}
