package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrNoModel says that no model of that kind, name or address is registered.
var ErrNoModel = errors.New("warehouse: no such model")

// ModelRow is one row of models.
type ModelRow struct {
	Artifact  string // "sha256:" and the hex digest of Blob
	Kind      string // what is predicted: churn, loyalty
	Name      string
	Version   uint32 // per Name, from 1
	Family    string
	CreatedAt time.Time
	Rows      uint64
	Positives uint64
	Report    string // JSON of the training
	Blob      []byte // the artifact's bytes; nil in lists
}

// versionAttempts bounds the race for a version number; each attempt is lost to another training that has just finished.
const versionAttempts = 100

// RegisterModel stores m under the next version of its name (m.Version is ignored) and returns that. The same artifact under the same
// name keeps its version. Two trainings at once, in whatever processes, never share a version: the insert carries (name, version) as its
// deduplication token, so that the engine drops the second, which the reading back finds out. Where two register the same artifact at once and
// both rows land, the lower version is the artifact's, and the other is no model: every reader passes it over.
func (w *Warehouse) RegisterModel(ctx context.Context, m ModelRow) (version uint32, err error) {
	for range versionAttempts {
		version, err := w.versionOf(ctx, m.Name, m.Artifact)
		if err == nil || !errors.Is(err, ErrNoModel) {
			return version, err
		}
		if err := w.Conn().QueryRow(ctx, `SELECT toUInt32(max(version) + 1) FROM models WHERE name = {name:String}`, clickhouse.Named("name", m.Name)).Scan(&m.Version); err != nil {
			return 0, fmt.Errorf("next version of model %s: %w", m.Name, err)
		}
		if err := w.insertModel(ctx, m); err != nil {
			return 0, fmt.Errorf("register model %s: %w", m.Name, err)
		}
	}
	return 0, fmt.Errorf("register model %s: %d versions were taken by others in the meantime; train again", m.Name, versionAttempts)
}

// versionOf is the version of an artifact under a name.
func (w *Warehouse) versionOf(ctx context.Context, name, artifact string) (version uint32, err error) {
	err = w.Conn().QueryRow(ctx, `SELECT version FROM models WHERE name = {name:String} AND artifact = {artifact:String} ORDER BY version LIMIT 1`,
		clickhouse.Named("name", name), clickhouse.Named("artifact", artifact)).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, ErrNoModel
	case err != nil:
		return 0, fmt.Errorf("find model: %w", err)
	}
	return version, nil
}

func (w *Warehouse) insertModel(ctx context.Context, m ModelRow) error {
	batch, err := w.Conn().PrepareBatch(claiming(ctx, fmt.Sprintf("model %d %s", m.Version, m.Name)), `INSERT INTO models (artifact, kind, name, version, family, created_at, rows, positives, report, blob)`)
	if err != nil {
		return err
	}
	if err := batch.Append(m.Artifact, m.Kind, m.Name, m.Version, m.Family, m.CreatedAt, m.Rows, m.Positives, m.Report, string(m.Blob)); err != nil {
		return errors.Join(err, batch.Abort())
	}
	return batch.Send()
}

// claiming makes of several inserts with one token the first one land, whatever the profile of the user says: who claims a number reads back whose it is.
func claiming(ctx context.Context, token string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token, "insert_deduplicate": 1, "async_insert": 0}))
}

// ModelByArtifact is the model, blob included, of a content address; ErrNoModel if there is none.
func (w *Warehouse) ModelByArtifact(ctx context.Context, artifact string) (ModelRow, error) {
	return w.oneModel(ctx, `WHERE artifact = {artifact:String}`, clickhouse.Named("artifact", artifact))
}

// ModelByVersion is the model, blob included, of a name and version; ErrNoModel if there is none.
func (w *Warehouse) ModelByVersion(ctx context.Context, name string, version uint32) (ModelRow, error) {
	return w.oneModel(ctx, `WHERE name = {name:String} AND version = {version:UInt32}`, clickhouse.Named("name", name), clickhouse.Named("version", strconv.FormatUint(uint64(version), 10)))
}

// firstOfArtifact leaves out the later of two rows of one artifact under one name, which two trainings at once may leave.
const firstOfArtifact = ` AND (name, version) IN (SELECT name, min(version) FROM models GROUP BY name, artifact)`

func (w *Warehouse) oneModel(ctx context.Context, where string, a ...any) (ModelRow, error) {
	var m ModelRow
	var blob string
	err := w.Conn().QueryRow(ctx, `SELECT artifact, kind, name, version, family, created_at, rows, positives, report, blob FROM models `+where+firstOfArtifact+` ORDER BY version LIMIT 1`, a...).
		Scan(&m.Artifact, &m.Kind, &m.Name, &m.Version, &m.Family, &m.CreatedAt, &m.Rows, &m.Positives, &m.Report, &blob)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ModelRow{}, ErrNoModel
	case err != nil:
		return ModelRow{}, fmt.Errorf("read model: %w", err)
	}
	m.Blob = []byte(blob)
	return m, nil
}

// Models lists the registered models of a kind ("" = all), newest version first, without blobs and reports.
func (w *Warehouse) Models(ctx context.Context, kind string) (list []ModelRow, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT artifact, kind, name, version, family, created_at, rows, positives FROM models
		WHERE ({kind:String} = '' OR kind = {kind:String})`+firstOfArtifact+` ORDER BY kind, name, version DESC`, clickhouse.Named("kind", kind))
	if err != nil {
		return nil, fmt.Errorf("list models: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m ModelRow
		if err := rows.Scan(&m.Artifact, &m.Kind, &m.Name, &m.Version, &m.Family, &m.CreatedAt, &m.Rows, &m.Positives); err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		list = append(list, m)
	}
	return list, rows.Err()
}
