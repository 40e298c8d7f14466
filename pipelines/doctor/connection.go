package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/chdb"
	"retain/internal/spoken"
	"retain/internal/warehouse"
)

// probes is how often the round trip is measured; the shortest is told.
const probes = 5

// slowTrip is the round trip from which every command of hundreds of statements is felt to wait.
const slowTrip = 200 * time.Millisecond

func checkServer(ctx context.Context, x *examination) (finding, error) {
	db := x.Store.DB
	var version string
	if err := db.Conn().QueryRow(ctx, "SELECT version()").Scan(&version); err != nil {
		return finding{}, err
	}
	best := time.Hour
	for range probes {
		begin := time.Now()
		var one uint8
		if err := db.Conn().QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
			return finding{}, err
		}
		best = min(best, time.Since(begin))
	}
	kind := "a server"
	switch {
	case db.Embedded() && db.Holds():
		kind = "embedded, held by this process"
	case db.Embedded():
		kind = "embedded, through the process that holds it"
	}
	ms := float64(best.Microseconds()) / 1000
	told := fmt.Sprintf("ClickHouse %s at %s, %s; %.1f ms a round trip", version, x.URL, kind, ms)
	figures := Figures{"round_trip_ms": figureOf(ms)}
	if best > slowTrip {
		return warn("run retain near the server: jobs send hundreds of statements", "%s", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

func checkSchema(ctx context.Context, x *examination) (finding, error) {
	var n uint64
	var newest string
	if err := x.Store.DB.Conn().QueryRow(ctx, "SELECT count(), max(name) FROM (SELECT DISTINCT name FROM migrations)").Scan(&n, &newest); err != nil {
		return finding{}, err
	}
	return fine("database %s has all %s, up to %s", x.Store.DB.Database(), spoken.Counted(int64(n), "migration"), newest).with(Figures{"migrations": figure(int64(n))}), nil
}

// Codes of ClickHouse's exceptions (ErrorCodes.cpp).
const (
	unknownUser    = 192
	wrongPassword  = 193
	authentication = 516
	accessDenied   = 497
)

// Unreachable is the report when the warehouse cannot be opened at all: what failed, and the mend. url is told as it is, so it must hold no password.
func Unreachable(err error, url string) *Report {
	name, f := "connection.server", finding{Status: Error, Message: firstLine(err)}
	var schema *warehouse.SchemaError
	var library *chdb.NotFoundError
	var locked *warehouse.LockedError
	var exception *clickhouse.Exception
	var lookup *net.DNSError
	var authority x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.Is(err, warehouse.ErrNoWarehouse):
		f.Message = "no warehouse at " + url
		f.Mend = "`retain demo` shows one of a made-up company; `retain import SOURCE FILE` starts your own (on a server after `retain migrate`)"
	case errors.As(err, &schema) && schema.Newer:
		name, f.Mend = "connection.schema", "upgrade this retain, or name another database in warehouse.url"
	case errors.As(err, &schema):
		name, f.Mend = "connection.schema", "use the retain that applied it; a change of the schema goes into a new migration"
	case errors.Is(err, warehouse.ErrSchemaBehind):
		name, f.Mend = "connection.schema", "retain migrate"
	case errors.As(err, &library):
		f.Mend = "make engine"
	case errors.As(err, &locked):
		f.Mend = fmt.Sprintf("wait longer (--wait 5m), or stop process %d", locked.PID)
	case errors.As(err, &exception) && (exception.Code == authentication || exception.Code == unknownUser || exception.Code == wrongPassword || exception.Code == accessDenied):
		f.Mend = "set the user and password of warehouse.url, best in the environment: RETAIN_WAREHOUSE_URL=https://user:password@host:8443/db"
	case errors.As(err, &lookup):
		f.Mend = fmt.Sprintf("correct the host %s in warehouse.url, or look at the network", lookup.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Mend = "start the server, or correct the port in warehouse.url (https 8443, http 8123, clickhouse 9000, with secure=true 9440)"
	case errors.As(err, &authority):
		f.Mend = "trust the server's certificate authority on this machine, or use the address the certificate is for"
	case errors.As(err, &timeout) && timeout.Timeout():
		f.Mend = "check that the firewall lets this machine reach the host and port of warehouse.url"
	case strings.Contains(url, "://"):
		f.Mend = "check warehouse.url: scheme, host, port and database"
	default:
		f.Mend = "check that the directory of warehouse.url can be read and written"
	}
	return &Report{Checks: []Check{{Name: name, Status: f.Status, Message: f.Message, Mend: f.Mend}}}
}
