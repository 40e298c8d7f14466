package main

import (
	"context"
	"errors"

	"retain/internal/warehouse"
	"retain/pipelines"
)

// keeper opens the warehouse for jobs, and opens it anew when the process that held it is gone.
type keeper struct {
	app     *app
	config  Config
	command string
	how     access
	who     string // of the ledger

	s     *session
	owned bool // s is the keeper's to close
}

// open is the bench of the moment. The runner asks one at a time.
func (k *keeper) open(ctx context.Context) (pipelines.Bench, error) {
	if k.s != nil {
		var one uint8
		err := k.s.db.Conn().QueryRow(ctx, "SELECT 1").Scan(&one)
		if errors.Is(err, warehouse.ErrWarehouseGone) {
			if k.owned {
				_ = k.s.db.Close() // of a connection whose other end is gone
			}
			k.s = nil
		} else if err != nil {
			return pipelines.Bench{}, err
		}
	}
	if k.s == nil {
		s, err := k.app.openWith(ctx, k.config, k.command, k.how)
		if err != nil {
			return pipelines.Bench{}, err
		}
		k.s, k.owned = s, true
	}
	return pipelines.Bench{DB: k.s.db, Jobs: k.app.jobs(k)}, nil
}

func (k *keeper) close() error {
	if k.s == nil || !k.owned {
		return nil
	}
	return k.s.db.Close()
}

// runner runs the jobs of the configuration.
func (k *keeper) runner() *pipelines.Runner {
	c := k.config.Schedule
	return &pipelines.Runner{Open: k.open, Who: k.who, Timeout: c.Timeout, Retries: c.Retries, Backoff: c.Backoff, Permanent: permanent, Log: k.app.logger(holding)}
}
