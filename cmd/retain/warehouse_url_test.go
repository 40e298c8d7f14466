package main

import (
	"strings"
	"testing"
)

func TestWarehouseURL(t *testing.T) {
	for _, c := range []struct{ url, part string }{
		{"embedded:./retain-data", ""},
		{"embedded:/var/lib/a folder", ""},
		{"https://user@host:8443/db", ""},
		{"https://user:secret@host/db", ""},
		{"http://[::1]:8123/db", ""},
		{"clickhouse://user@host:9440/db?secure=true", ""},

		{"", "is none of embedded:DIR, https://"},
		{"embedded:", "names no directory; write embedded:./retain-data"},
		{"./retain-data", "is none of"},
		{"ftp://user:secret@x", "is none of"},
		{"https:/host", "is none of"},
		{"https:host", "is none of"},
		{"https://", "names no host; write https://user@host:8443/db"},
		{"https://:8443/db", "names no host"},
		{"https://user:secret@/db", "names no host"},
		{"clickhouse://?secure=true", "names no host; write clickhouse://user@host:9000/db"},
		{"https://host:99999/db", "no port from 1 to 65535"},
		{"https://host:0/db", "no port"},
		{"https://user:secret@host:port/db", "is no URL: invalid port"},
		{"https://host:port/db?password=secret", "is no URL: invalid port"},
		{"https://user:secret%zz@host/db", "is no URL: invalid URL escape; write a character of the password"},
		{"https://user:secret/more@host/db", "is no URL: invalid port; write a character of the password"},
	} {
		got := urlProblem(c.url)
		if c.part == "" && got != "" || !strings.Contains(got, c.part) || strings.Contains(got, "secret") {
			t.Errorf("%s: %q, want %q and no password", c.url, got, c.part)
		}
	}
}

func TestRedactURL(t *testing.T) {
	for url, want := range map[string]string{
		"embedded:./a@b":                  "embedded:./a@b",
		"https://host/db":                 "https://host/db",
		"https://user@host/db":            "https://user@host/db",
		"https://user:secret@host/db":     "https://user:xxxxx@host/db",
		"https://user:secret%zz@host/db":  "https://…@host/db",
		"https://user:1/secret@host/db":   "https://…@host/db",
		"https://user:s/ec@ret@host/db":   "https://…@host/db",
		"http://host/db?password=secret":  "http://host/db?password=xxxxx",
		"http://u:s@host/?password=s&x=1": "http://u:xxxxx@host/?password=xxxxx&x=1",
		"http://host:a/?x=1&password=s@b": "http://host:a/?x=1&password=xxxxx", // no URL: its port is none
	} {
		if got := redactURL(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}
