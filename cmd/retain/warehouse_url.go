package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// serverForms are the forms of warehouse.url that name a server.
const serverForms = "https://user@host:8443/db, http://…, clickhouse://user@host:9440/db?secure=true"

// urlProblem tells what is wrong with a warehouse's URL and the mend, without its password; "" if nothing is.
func urlProblem(text string) string {
	if dir, ok := strings.CutPrefix(text, "embedded:"); ok {
		if dir == "" {
			return "embedded: names no directory; write embedded:./retain-data"
		}
		return ""
	}
	u, err := url.Parse(text)
	var inner *url.Error
	switch {
	case errors.As(err, &inner):
		return fmt.Sprintf("%q is no URL: %v; write a character of the password that is no letter or digit as %%XX", redactURL(text), withoutText(inner.Err))
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "clickhouse" || u.Opaque != "" || !strings.HasPrefix(text[len(u.Scheme):], "://"):
		return fmt.Sprintf("%q is none of embedded:DIR, %s", redactURL(text), serverForms)
	case u.Hostname() == "":
		return fmt.Sprintf("%q names no host; write %s://user@host:%s/db", redactURL(text), u.Scheme, map[string]string{"https": "8443", "http": "8123", "clickhouse": "9000"}[u.Scheme])
	}
	if port := u.Port(); port != "" {
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return fmt.Sprintf("%q has no port from 1 to 65535", redactURL(text))
		}
	}
	return ""
}

// withoutText is the text of an error of url.Parse up to what it quotes, which can be a part of the password.
func withoutText(err error) string {
	text, _, _ := strings.Cut(err.Error(), ` "`)
	return text
}

// What a password is to be found by in a text that may be no URL.
var (
	beforeHost = regexp.MustCompile(`//.*@`)
	inQuery    = regexp.MustCompile(`([?&]password=)[^&]*`) // the driver takes it there, too
)

// redactURL drops the password of a warehouse's URL, also of one that is wrong.
func redactURL(text string) string {
	text = inQuery.ReplaceAllString(text, "${1}xxxxx")
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return u.Redacted()
	}
	return beforeHost.ReplaceAllString(text, "//…@")
}
