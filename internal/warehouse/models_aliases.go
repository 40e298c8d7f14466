package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// The aliases of the registry, see migrations/0008_registry.sql.
const (
	AliasChampion   = "champion"
	AliasChallenger = "challenger"
	AliasShadow     = "shadow"
)

// What gave an alias its model.
const (
	ActionTrained    = "trained"     // champion: the gate let the training promote it
	ActionPromoted   = "promoted"    // champion: by hand, as the gate says
	ActionForced     = "forced"      // champion: by hand, against the gate or without its word
	ActionRolledBack = "rolled_back" // champion: the one before, by hand
	ActionRegistered = "registered"  // challenger: trained and not promoted
	ActionShadowed   = "shadowed"    // shadow: begun
	ActionStopped    = "stopped"     // shadow: ended by hand
)

var (
	// ErrNoAlias says that an alias has never meant a model, or not by then.
	ErrNoAlias = errors.New("warehouse: the alias means no model")
	// ErrAliasMoved says that an alias means another model than the one it was to be moved from.
	ErrAliasMoved = errors.New("warehouse: the alias has been moved by somebody else in the meantime")
	// ErrRolledBack says that a model was taken back by hand, so that no training may promote it again.
	ErrRolledBack = errors.New("warehouse: the model was rolled back")
)

// AliasRow is one row of model_aliases: what an alias means from At on, until the row of the next Step.
type AliasRow struct {
	Kind, Alias string
	Step        uint32    // per kind and alias, from 1: the order of the rows, whatever clocks said
	At          time.Time // UTC, in microseconds; rises with Step
	Action      string    // one of the constants
	Artifact    string    // "": no model
	Name        string
	Version     uint32
	Who         string
	Why         string
}

// PromotionRow makes a model the champion of its kind.
type PromotionRow struct {
	At       time.Time // a clock that is behind the promotion before is moved up to it
	Kind     string
	Artifact string
	Name     string
	Version  uint32
	Who      string
	Why      string
	Action   string  // "" means ActionTrained
	Over     *string // artifact of the champion that it was judged against, "" = none: it is promoted over that one only; nil: over any
}

// PromoteModel appends a promotion. Errors: ErrNoModel if the artifact is not registered, ErrAliasMoved if the champion is not the one of p.Over, ErrRolledBack if
// a training would promote what was rolled back by hand.
func (w *Warehouse) PromoteModel(ctx context.Context, p PromotionRow) error {
	if p.Action == "" {
		p.Action = ActionTrained
	}
	if p.Action == ActionTrained {
		history, err := w.AliasHistory(ctx, p.Kind, AliasChampion)
		if err != nil {
			return fmt.Errorf("promote model %s v%d: %w", p.Name, p.Version, err)
		}
		for i, r := range history {
			if r.Action == ActionRolledBack && i+1 < len(history) && history[i+1].Artifact == p.Artifact {
				return fmt.Errorf("promote model %s v%d: %w on %s by %s", p.Name, p.Version, ErrRolledBack, r.At.Format(time.DateOnly), r.Who)
			}
			if r.Artifact == p.Artifact && r.Action != ActionRolledBack {
				break // promoted by hand since
			}
		}
	}
	_, err := w.SetAlias(ctx, AliasRow{Kind: p.Kind, Alias: AliasChampion, At: p.At, Action: p.Action, Artifact: p.Artifact, Name: p.Name, Version: p.Version, Who: p.Who, Why: p.Why}, p.Over)
	if err != nil {
		return fmt.Errorf("promote model %s v%d: %w", p.Name, p.Version, err)
	}
	return nil
}

// aliasAttempts bounds the race for a step; each attempt is lost to somebody who moved the same alias.
const aliasAttempts = 100

// SetAlias makes an alias mean another model, or none where r.Artifact is empty, and returns the row as it was written: its Step is the next one, and its At
// lies after that of the step before. over, unless nil, is the artifact ("" = none) that the alias must mean now. Of several that
// move it at once each gets a step of its own, so that one with an over finds the alias moved. Errors: ErrNoModel if the artifact is not registered under that
// name and version, ErrAliasMoved.
func (w *Warehouse) SetAlias(ctx context.Context, r AliasRow, over *string) (AliasRow, error) {
	if r.Artifact != "" {
		switch version, err := w.versionOf(ctx, r.Name, r.Artifact); {
		case err != nil:
			return r, err
		case version != r.Version:
			return r, fmt.Errorf("version %d of %s is not %s: %w", r.Version, r.Name, r.Artifact, ErrNoModel)
		}
	}
	var random [12]byte
	if _, err := rand.Read(random[:]); err != nil {
		return r, err
	}
	claim := hex.EncodeToString(random[:])
	wanted := r.At.UTC().Truncate(time.Microsecond)
	for range aliasAttempts {
		last, err := w.Alias(ctx, r.Kind, r.Alias, time.Time{})
		if err != nil && !errors.Is(err, ErrNoAlias) {
			return r, err
		}
		if over != nil && last.Artifact != *over {
			return r, ErrAliasMoved
		}
		r.Step, r.At = last.Step+1, wanted
		if !r.At.After(last.At) {
			r.At = last.At.Add(time.Microsecond)
		}
		if err := w.putAlias(ctx, r, claim); err != nil {
			return r, fmt.Errorf("write alias %s: %w", r.Alias, err)
		}
		var owner string
		if err := w.Conn().QueryRow(ctx, `SELECT claim FROM model_aliases WHERE kind = {kind:String} AND alias = {alias:String} AND step = {step:UInt32} ORDER BY claim LIMIT 1`,
			clickhouse.Named("kind", r.Kind), clickhouse.Named("alias", r.Alias), clickhouse.Named("step", fmt.Sprint(r.Step))).Scan(&owner); err != nil {
			return r, fmt.Errorf("read alias %s: %w", r.Alias, err)
		}
		if owner == claim {
			return r, nil
		}
	}
	return r, fmt.Errorf("write alias %s: %d steps were taken by others in the meantime", r.Alias, aliasAttempts)
}

func (w *Warehouse) putAlias(ctx context.Context, r AliasRow, claim string) error {
	batch, err := w.Conn().PrepareBatch(claiming(ctx, fmt.Sprintf("alias %d %s %s", r.Step, r.Alias, r.Kind)),
		`INSERT INTO model_aliases (kind, alias, step, at, action, artifact, name, version, who, why, claim)`)
	if err != nil {
		return err
	}
	if err := batch.Append(r.Kind, r.Alias, r.Step, r.At, r.Action, r.Artifact, r.Name, r.Version, r.Who, r.Why, claim); err != nil {
		return errors.Join(err, batch.Abort())
	}
	return batch.Send()
}

// selectAliases reads every step once: the one that was written first.
const selectAliases = `SELECT kind, alias, step, at, action, artifact, name, version, who, why FROM
	(SELECT * FROM model_aliases WHERE kind = {kind:String} ORDER BY alias, step, claim LIMIT 1 BY alias, step) `

// Alias is the row of an alias that holds at an instant, exclusive of what was written later; the zero instant means now. A row without artifact
// says that the alias was taken away. ErrNoAlias if it did not exist by then.
func (w *Warehouse) Alias(ctx context.Context, kind, alias string, at time.Time) (r AliasRow, err error) {
	until := int64(1) << 62
	if !at.IsZero() {
		until = at.UnixMicro()
	}
	err = w.Conn().QueryRow(ctx, selectAliases+`WHERE alias = {alias:String} AND toUnixTimestamp64Micro(at) <= {until:Int64} ORDER BY step DESC LIMIT 1`,
		clickhouse.Named("kind", kind), clickhouse.Named("alias", alias), clickhouse.Named("until", fmt.Sprint(until))).Scan(r.fields()...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return AliasRow{}, ErrNoAlias
	case err != nil:
		return AliasRow{}, fmt.Errorf("read alias %s: %w", alias, err)
	}
	r.At = r.At.UTC()
	return r, nil
}

// fields are the scan targets in the order of selectAliases.
func (r *AliasRow) fields() []any {
	return []any{&r.Kind, &r.Alias, &r.Step, &r.At, &r.Action, &r.Artifact, &r.Name, &r.Version, &r.Who, &r.Why}
}

// AliasHistory is everything that an alias of a kind has meant, latest first; alias "" is all of them, merged by their instants.
func (w *Warehouse) AliasHistory(ctx context.Context, kind, alias string) (list []AliasRow, err error) {
	rows, err := w.Conn().Query(ctx, selectAliases+`WHERE {alias:String} = '' OR alias = {alias:String} ORDER BY at DESC, alias, step DESC`,
		clickhouse.Named("kind", kind), clickhouse.Named("alias", alias))
	if err != nil {
		return nil, fmt.Errorf("list aliases: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r AliasRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, fmt.Errorf("list aliases: %w", err)
		}
		r.At = r.At.UTC()
		list = append(list, r)
	}
	return list, rows.Err()
}

// ModelOfAlias is the model, blob included, that an alias of a kind means now, and the row that says so; ErrNoModel if it means none.
func (w *Warehouse) ModelOfAlias(ctx context.Context, kind, alias string) (ModelRow, AliasRow, error) {
	r, err := w.Alias(ctx, kind, alias, time.Time{})
	switch {
	case errors.Is(err, ErrNoAlias), err == nil && r.Artifact == "":
		return ModelRow{}, r, ErrNoModel
	case err != nil:
		return ModelRow{}, r, err
	}
	m, err := w.ModelByVersion(ctx, r.Name, r.Version)
	return m, r, err
}

// ChampionModel is the model, blob included, of the latest promotion of a kind; ErrNoModel if there is none.
func (w *Warehouse) ChampionModel(ctx context.Context, kind string) (ModelRow, error) {
	m, _, err := w.ModelOfAlias(ctx, kind, AliasChampion)
	return m, err
}

// RollBack makes the champion of before the champion again: the one that was replaced when the present one was promoted. A roll-back undoes the latest promotion
// that is not undone yet, so two of them go two promotions back. Errors: ErrNoAlias if there is no champion before, ErrAliasMoved.
func (w *Warehouse) RollBack(ctx context.Context, kind, who, why string, at time.Time) (from, to AliasRow, err error) {
	history, err := w.AliasHistory(ctx, kind, AliasChampion)
	if err != nil {
		return from, to, err
	}
	standing := Standing(history)
	if len(standing) < 2 {
		return from, to, fmt.Errorf("champion before the present one: %w", ErrNoAlias)
	}
	from, to = standing[len(standing)-1], standing[len(standing)-2]
	to.At, to.Action, to.Who, to.Why = at, ActionRolledBack, who, why
	to, err = w.SetAlias(ctx, to, &from.Artifact)
	return from, to, err
}

// Standing are the promotions of a history of champions (latest first) that no roll-back has undone, oldest first: the last is the champion's.
func Standing(history []AliasRow) []AliasRow {
	var stack []AliasRow
	for i := len(history) - 1; i >= 0; i-- {
		if r := history[i]; r.Action != ActionRolledBack {
			stack = append(stack, r)
		} else if len(stack) > 1 {
			stack = stack[:len(stack)-1]
		}
	}
	return stack
}
