// Command loop lets the product decide in the known world, again and again: score → decide → outcomes from the truth → learn → decide. It
// compares policies in pairs over seeds, in a world in which actions work and in one in which none does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"retain/internal/atomicfile"
	"retain/simulation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		os.Exit(1)
	}
}

// command plays the loop, or reads what an earlier one found, and tells it.
func command(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("loop", flag.ContinueOnError)
	seeds := flags.Int("seeds", 20, "how many worlds; their seeds follow one another")
	first := flags.Uint64("first", 1, "seed of the first world, to part the work")
	customers := flags.Int("customers", 8000, "customers of a world, those who come and go included; about a quarter are there at a time")
	runs := flags.Int("runs", 12, "runs, one every 13 weeks")
	out := flags.String("out", "", "file for the figures of every run, JSON")
	from := flags.String("from", "", "read the figures from files that -out wrote, a comma between them, instead of playing")
	picture := flags.String("picture", "", "file for the picture, PNG")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var figures []figure
	var err error
	switch {
	case flags.NArg() > 0 || *seeds < 1 || *seeds > 1000 || *customers < 100 || *customers > 1_000_000 || *runs < 1 || *runs > 40:
		return errors.New("want 1 to 1000 seeds, 100 to 1,000,000 customers, 1 to 40 runs, and nothing else")
	case *from != "":
		figures, err = read(*from)
	default:
		figures, err = newSetting(*customers, *runs).play(ctx, *first, *seeds, *out)
	}
	if err != nil {
		return err
	}
	t, err := newTable(figures)
	if err != nil {
		return err
	}
	if *picture != "" {
		if err := t.picture(*picture); err != nil {
			return err
		}
	}
	return t.print(os.Stdout)
}

// newSetting is the loop as docs/next-best-action.md tells it, of a size.
func newSetting(customers, runs int) *setting {
	return &setting{customers: customers, from: time.Date(2023, 4, 12, 0, 0, 0, 0, time.UTC), runs: runs, training: 7, days: 425, futures: 32}
}

func read(files string) (all []figure, err error) {
	for file := range strings.SplitSeq(files, ",") {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the figures: %w", err)
		}
		var figures []figure
		if err := json.Unmarshal(text, &figures); err != nil {
			return nil, fmt.Errorf("read the figures in %s: %w", file, err)
		}
		all = append(all, figures...)
	}
	return all, nil
}

// write puts the figures into a file, "" = none.
func write(file string, figures []figure) error {
	if file == "" {
		return nil
	}
	text, err := json.Marshal(figures)
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return atomicfile.Write(file, 0o644, text)
}

// play plays n seeds, as many at once as there are threads. The file out, unless it is "", holds the seeds that are played.
func (s *setting) play(ctx context.Context, first uint64, n int, out string) ([]figure, error) {
	began := time.Now()
	all := make([][]figure, n)
	var mu sync.Mutex
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k := range n {
		group.Go(func() error {
			figures, err := s.seed(inner, first+uint64(k))
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all[k] = figures
			fmt.Fprintf(os.Stderr, "seed %d played, %.0f s in all\n", first+uint64(k), time.Since(began).Seconds())
			return write(out, slices.Concat(all...))
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(all...), nil
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
