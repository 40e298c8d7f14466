package chdb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestHelloIsPinned holds clickhouse-go to the text and the parameters that hello answers. When an upgrade breaks it,
// look at queryHello in conn_http.go.
func TestHelloIsPinned(t *testing.T) {
	stop := errors.New("seen enough")
	var body string
	var parameters url.Values
	c := openWith(t, &clickhouse.Options{
		Addr: []string{"embedded:0"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				b, err := io.ReadAll(r.Body)
				body, parameters = string(b), r.URL.Query()
				return nil, errors.Join(err, stop)
			}), nil
		},
	})
	if err := c.Ping(context.Background()); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if body != helloQuery {
		t.Errorf("clickhouse-go asks %q first, not %q", body, helloQuery)
	}
	if v := parameters.Get("client_protocol_version"); v == "" || v == "0" {
		t.Errorf("clickhouse-go names its revision %q in client_protocol_version", v)
	}
	if f := parameters.Get("default_format"); f != "Native" {
		t.Errorf("clickhouse-go asks for format %q", f)
	}
}

func TestHello(t *testing.T) {
	v, err := open(t).ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if v.Revision != 0 || v.Version.Major < 25 || v.Timezone.String() != "UTC" {
		t.Errorf("server version %+v", v)
	}
}
