package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"retain/serving"
)

func TestServeHelpNamesEveryRoute(t *testing.T) {
	server, err := serving.New(serving.Options{Runs: runReader{}, Keys: keyStore{}})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/openapi.json", http.NoBody))
	var document struct {
		Paths map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &document); err != nil || len(document.Paths) < 6 {
		t.Fatalf("openapi.json: %d paths, %v", len(document.Paths), err)
	}
	help := retain(t, "", "serve", "--help")
	if help.code != exitDone {
		t.Fatalf("exit %d: %s", help.code, help.stderr)
	}
	named := map[string]bool{}
	for _, word := range strings.Fields(help.stdout) {
		named[strings.Trim(word, ",")] = true
	}
	for path := range document.Paths {
		if !named[path] {
			t.Errorf("the help of serve does not name %s", path)
		}
	}
}
