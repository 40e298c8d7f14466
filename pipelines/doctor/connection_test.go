package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"retain/internal/chdb"
	"retain/internal/warehouse"
)

func TestUnreachable(t *testing.T) {
	const url = "https://me@db.example:8443/retain"
	for _, c := range []struct {
		name  string
		err   error
		check string
		mend  string
	}{
		{"none yet", fmt.Errorf("open: %w", warehouse.ErrNoWarehouse), "connection.server", "`retain demo` shows one of a made-up company; `retain import SOURCE FILE` starts your own (on a server after `retain migrate`)"},
		{"newer", &warehouse.SchemaError{Database: "retain", Migration: "0099", Newer: true}, "connection.schema", "upgrade this retain, or name another database in warehouse.url"},
		{"edited", &warehouse.SchemaError{Database: "retain", Migration: "0001"}, "connection.schema", "use the retain that applied it; a change of the schema goes into a new migration"},
		{"behind", fmt.Errorf("%w: database retain lacks migration 0005", warehouse.ErrSchemaBehind), "connection.schema", "retain migrate"},
		{"no library", &chdb.NotFoundError{}, "connection.server", "make engine"},
		{"held", &warehouse.LockedError{PID: 7}, "connection.server", "wait longer (--wait 5m), or stop process 7"},
		{"password", &clickhouse.Exception{Code: 516}, "connection.server", "set the user and password of warehouse.url, best in the environment: RETAIN_WAREHOUSE_URL=https://user:password@host:8443/db"},
		{"no such host", &net.DNSError{Name: "db.example"}, "connection.server", "correct the host db.example in warehouse.url, or look at the network"},
		{"nobody listens", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "connection.server", "start the server, or correct the port in warehouse.url (https 8443, http 8123, clickhouse 9000, with secure=true 9440)"},
		{"no answer", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "connection.server", "check that the firewall lets this machine reach the host and port of warehouse.url"},
		{"else", errors.New("EOF"), "connection.server", "check warehouse.url: scheme, host, port and database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Unreachable(fmt.Errorf("open the warehouse: %w", c.err), url)
			if len(r.Checks) != 1 || r.Count(Error) != 1 || r.Checks[0].Name != c.check || r.Checks[0].Mend != c.mend || r.Checks[0].Message == "" {
				t.Errorf("%+v", r.Checks)
			}
		})
	}
}

func TestConnection(t *testing.T) {
	db := openWorld(t)
	got := checkOf(t, optionsOf(db), "connection.server")
	if got.Status != OK || !strings.HasPrefix(got.Message, "ClickHouse ") || !strings.Contains(got.Message, " at embedded:test, embedded") {
		t.Errorf("%+v", got)
	}
	got = checkOf(t, optionsOf(db), "connection.schema")
	if got.Status != OK || !strings.HasPrefix(got.Message, "database "+db.Database()+" has all ") {
		t.Errorf("%+v", got)
	}
}

// The four keys of the contract are always there; the others only where there is something to tell.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(Report{Checks: []Check{
		{Name: "connection.server", Status: OK, Message: "fine"},
		{Name: "usage.end", Status: Warning, Message: "odd", Mend: "mend it", Source: "usage", Figures: Figures{"share": .5, "auc": figureOf(math.NaN())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"checks":[{"name":"connection.server","status":"ok","message":"fine","mend":""},` +
		`{"name":"usage.end","status":"warning","message":"odd","mend":"mend it","source":"usage","figures":{"auc":null,"share":0.5}}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}
