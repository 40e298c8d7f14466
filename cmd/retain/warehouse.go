package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/internal/warehouse"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Create or upgrade the schema (embedded: done by itself)",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			db, err := warehouse.Open(cmd.Context(), warehouse.Options{URL: config.Warehouse.URL, Wait: a.wait, Create: true, Command: "retain migrate", Logger: a.logger(writing)})
			if err != nil {
				return err
			}
			defer func() { err = errorsJoin(err, db.Close()) }()
			applied, err := db.Migrate(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(map[string]any{"warehouse": redactURL(config.Warehouse.URL), "applied": append([]string{}, applied...)}, func(w io.Writer) {
				for _, name := range applied {
					fmt.Fprintf(w, "applied %s\n", name)
				}
				fmt.Fprintf(w, "the schema of %s is up to date\n", redactURL(config.Warehouse.URL))
			})
		},
	}
}

func (a *app) warehouseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "warehouse",
		Short: "Only hold the embedded warehouse open, for other retain commands beside each other",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(cmd.Context(), "warehouse", holding)
			if err != nil {
				return err
			}
			defer s.close(&err)
			if !s.db.Embedded() {
				return usagef("%s is a server: it needs no holder", redactURL(s.config.Warehouse.URL))
			}
			if !s.db.Holds() {
				return fmt.Errorf("another process holds %s already: its holder answers other commands, so there is nothing to do", s.config.Warehouse.URL)
			}
			a.say("holding " + s.config.Warehouse.URL + " open; stop with Ctrl-C")
			<-cmd.Context().Done()
			return nil
		},
	}
}
