// Command loop lets the product decide in the known world, again and again: score → decide → outcomes from the truth → learn → decide. It
// compares policies in pairs over seeds, in a world in which actions work and in one in which none does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"retain/simulation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("loop", flag.ContinueOnError)
	seeds := flags.Int("seeds", 20, "how many worlds; their seeds are 1, 2, …")
	customers := flags.Int("customers", 8000, "customers of a world, those who come and go included")
	runs := flags.Int("runs", 12, "runs, one every 13 weeks")
	out := flags.String("json", "", "file for the figures of every run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := &setting{customers: *customers, from: time.Date(2023, 4, 12, 0, 0, 0, 0, time.UTC), runs: *runs, training: 7, days: 425, futures: 32}
	began := time.Now()
	all := make([][]figure, *seeds)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n := range *seeds {
		group.Go(func() (err error) {
			all[n], err = s.seed(inner, uint64(n+1))
			fmt.Fprintf(os.Stderr, "seed %d done after %.0f s\n", n+1, time.Since(began).Seconds())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var figures []figure
	for _, f := range all {
		figures = append(figures, f...)
	}
	if *out != "" {
		text, err := json.Marshal(figures)
		if err != nil {
			return err
		}
		if err := os.WriteFile(*out, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// seed plays every policy in both worlds of a seed.
func (s *setting) seed(ctx context.Context, seed uint64) (figures []figure, err error) {
	m, err := newMenu()
	if err != nil {
		return nil, err
	}
	var b *book
	for _, effects := range []simulation.Effects{simulation.MixedEffects, simulation.NoEffects} {
		w, err := s.world(seed, effects)
		if err != nil {
			return nil, err
		}
		if b == nil {
			b = newBook(s, w)
		}
		score, err := newScorer(ctx, s, b, w, seed)
		if err != nil {
			return nil, err
		}
		var idle *play
		for p := nothing; p <= oracle; p++ {
			y, err := newPlay(s, b, m, score, w, p, seed, effects == simulation.NoEffects, idle)
			if err != nil {
				return nil, err
			}
			if p == nothing {
				idle = y
			}
			for k := range s.runs {
				if k > 0 {
					if err := y.course.Step(s.at(k)); err != nil {
						return nil, err
					}
				}
				f, err := y.run(ctx, k, effects)
				if err != nil {
					return nil, fmt.Errorf("seed %d, %s, %s, run %d: %w", seed, effects, p, k+1, err)
				}
				figures = append(figures, f)
			}
		}
	}
	return figures, nil
}
