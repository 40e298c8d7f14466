package chdb

import (
	"context"
	"net/url"
	"regexp"
	"strings"
)

// session is a pooled connection and the state that it carries from statement to statement.
type session struct {
	*conn
	database string
	settings map[string]string // set on the connection
	tainted  bool              // must not serve another statement
}

// sessions hands out connections: at most cap(open) at once, of which cap(idle) are kept.
type sessions struct {
	dial func() (*conn, error)
	open chan struct{}
	idle chan *session
	end  chan struct{} // closed: none are handed out any more
}

func newSessions(keep, limit int, dial func() (*conn, error)) *sessions {
	return &sessions{dial: dial, open: make(chan struct{}, limit), idle: make(chan *session, keep), end: make(chan struct{})}
}

// acquire waits for a session until ctx ends.
func (p *sessions) acquire(ctx context.Context) (*session, error) {
	select {
	case <-p.end:
		return nil, errClosed
	default:
	}
	select {
	case p.open <- struct{}{}:
	case <-p.end:
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case s := <-p.idle:
		return s, nil
	default:
	}
	c, err := p.dial()
	if err != nil {
		<-p.open
		return nil, err
	}
	return &session{conn: c, database: "default", settings: map[string]string{}}, nil
}

// release gives s back. A tainted one is closed: reuse gave foreign errors and silently empty results.
func (p *sessions) release(s *session) {
	defer func() { <-p.open }()
	if s.tainted {
		s.close()
		return
	}
	select {
	case p.idle <- s:
	default:
		s.close()
	}
}

// shut waits for every session to come back and closes it. None can be acquired afterwards.
func (p *sessions) shut() {
	close(p.end)
	for range cap(p.open) {
		p.open <- struct{}{}
	}
	for {
		select {
		case s := <-p.idle:
			s.close()
		default:
			return
		}
	}
}

// notSettings are the URL parameters of ClickHouse's HTTP interface that are not settings.
var notSettings = map[string]bool{
	"query": true, "database": true, "default_format": true, "client_protocol_version": true,
	"compress": true, "decompress": true, "enable_http_compression": true,
	"network_compression_method": true, "network_zstd_compression_level": true,
	"query_id": true, "session_id": true, "session_timeout": true, "quota_key": true, "user": true, "password": true,
	"wait_end_of_query": true, "buffer_size": true, "http_write_exception_in_output_format": true,
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// prepare makes the connection's database and settings those of a request.
func (s *session) prepare(parameters url.Values) error {
	if name := parameters.Get("database"); name != "" && name != s.database {
		if err := s.exec("USE `" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"); err != nil {
			return err
		}
		s.database = name
	}
	wanted := map[string]string{"session_timezone": "UTC"} // times without a zone are UTC whatever the machine's zone is
	for name := range parameters {
		if notSettings[name] || strings.HasPrefix(name, "param_") {
			continue
		}
		if !settingName.MatchString(name) {
			return &Error{"Code: 115. DB::Exception: Unknown setting " + literal(name) + ". (UNKNOWN_SETTING)"}
		}
		wanted[name] = parameters.Get(name)
	}
	for name := range s.settings {
		if _, stays := wanted[name]; !stays {
			if err := s.exec("SET " + name + " = DEFAULT"); err != nil {
				return err
			}
			delete(s.settings, name)
		}
	}
	for name, value := range wanted {
		if s.settings[name] != value {
			if err := s.exec("SET " + name + " = " + literal(value)); err != nil {
				return err
			}
			s.settings[name] = value
		}
	}
	return nil
}

// literal quotes s as a ClickHouse string.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
