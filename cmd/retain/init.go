package main

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

//go:embed retain.yaml
var commentedConfig []byte

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a commented retain.yaml",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			path := cmp.Or(a.configPath, environment(a.environ)["RETAIN_CONFIG"], "retain.yaml")
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it may come to hold the server's password
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already and stays as it is; move it away first, or name another with --config", path)
			}
			if err != nil {
				return err
			}
			if _, err := f.Write(commentedConfig); err != nil {
				return errorsJoin(err, f.Close(), os.Remove(path))
			}
			if err := f.Close(); err != nil {
				return err
			}
			return a.print(map[string]string{"file": path}, func(w io.Writer) {
				fmt.Fprintf(w, "%s written; every key shows its default. Next: retain import SOURCE FILE\n", path)
			})
		},
	}
}

func (a *app) configCommand() *cobra.Command {
	return group("config", "Look at the configuration", &cobra.Command{
		Use:   "check",
		Short: "Tell every problem of the configuration at once",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a.configPath, a.environ)
			if err == nil {
				_, err = c.actionEngine() // and with it the catalogue of features
			}
			if err == nil {
				_, err = c.lifecycleRules()
			}
			if err == nil {
				_, err = c.leadPoints()
			}
			if err == nil {
				err = a.checkTables(cmd.Context(), c)
			}
			var wrong *usageError
			if a.asJSON && errors.As(err, &wrong) {
				problems := wrong.problems
				if len(problems) == 0 {
					problems = []string{wrong.message}
				}
				return errorsJoin(err, a.print(map[string]any{"file": c.path, "warehouse": redactURL(c.Warehouse.URL), "problems": problems}, nil))
			}
			if err != nil {
				return err
			}
			where := c.path
			if where == "" {
				where = "the defaults (there is no retain.yaml here)"
			}
			return a.print(map[string]any{"file": c.path, "warehouse": redactURL(c.Warehouse.URL), "problems": []string{}}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: no problem found; warehouse %s\n", where, redactURL(c.Warehouse.URL))
			})
		},
	})
}

// errorsJoin is errors.Join that leaves a single error as it is, so that its text stays one line.
func errorsJoin(errs ...error) error {
	var only error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if only != nil {
			return errors.Join(errs...)
		}
		only = err
	}
	return only
}
