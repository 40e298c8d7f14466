// Command retain predicts churn: it imports what customers do, turns it into features, trains models, scores every customer and
// serves the answers. See README.md, or `retain --help`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"retain/features"
	"retain/internal/warehouse"
	"retain/pipelines"
	"retain/training"
)

// version is set by the build.
var version = "dev"

// Exit codes of contract.md §2.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), args: os.Args[1:]}
	code := a.run(ctx)
	stop()
	os.Exit(code)
}

// run executes the command line and returns the exit code. Errors are told here and nowhere else.
func (a *app) run(ctx context.Context) int {
	root := a.rootCommand()
	root.SetArgs(a.args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.stderr, "retain: stopped; nothing half-done is visible")
		return exitFailed
	}
	if why := features.Unfit(err); why != "" { // a row of an own table; the rest is the statement
		fmt.Fprintf(a.stderr, "retain: %s\n", why)
		return exitFailed
	}
	fmt.Fprintf(a.stderr, "retain: %v\n", err)
	if isUsage(err) {
		if command != nil && command.Runnable() {
			fmt.Fprintf(a.stderr, "usage: %s (see `%s --help`)\n", strings.TrimSuffix(command.UseLine(), " [flags]"), command.CommandPath())
		}
		return exitUsage
	}
	return exitFailed
}

// usageError is wrong usage: exit code 2.
type usageError struct {
	message  string
	problems []string // of a configuration
}

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// isUsage tells wrong usage from failure, whoever found it.
func isUsage(err error) bool {
	var mine *usageError
	var trainings *training.UsageError
	var binding *features.BindingError
	return errors.As(err, &mine) || errors.As(err, &trainings) || errors.As(err, &binding) || errors.Is(err, pipelines.ErrImportOptions)
}

// explainedError tells an error in other words, and keeps what it was.
type explainedError struct {
	message string
	cause   error
}

func (e *explainedError) Error() string { return e.message }

func (e *explainedError) Unwrap() error { return e.cause }

// explainMissing turns the errors of a warehouse that is not there or not filled into what to do next.
func explainMissing(err error, url string) error {
	switch {
	case errors.Is(err, warehouse.ErrNoWarehouse):
		return &explainedError{fmt.Sprintf("no warehouse at %s yet: `retain demo` shows one of a made-up company, `retain import SOURCE FILE` starts your own", redactURL(url)), err}
	case errors.Is(err, warehouse.ErrWarehouseGone):
		return fmt.Errorf("%w; run the command again", err)
	default:
		return err
	}
}

// sources is the configuration's sources in the form the features package reads.
func (c *Config) sources() features.Sources { return features.Sources(c.Sources) }
