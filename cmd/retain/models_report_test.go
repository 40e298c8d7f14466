package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"retain/training/report"
)

// reports asks for the report of the demo's model in every way, and finds the one that the demo has written.
func (d *running) reports(t *testing.T) {
	var told report.Document
	d.json(t, &told, "models", "report")
	if !told.Champion || told.Model.Version != 1 || told.Training.Anatomy == nil || len(told.Training.Anatomy.Dependence) == 0 || len(told.Features) != len(told.Training.Features) {
		t.Fatalf("%+v, champion %v", told.Model, told.Champion)
	}
	out := filepath.Join(t.TempDir(), "page.html")
	said, err := exec.CommandContext(t.Context(), d.bin, "models", "report", "1", "--out", out, "--config", d.configArg).Output()
	if err != nil || !strings.Contains(string(said), out) {
		t.Fatalf("%q, %v", said, err)
	}
	streamed, err := exec.CommandContext(t.Context(), d.bin, "models", "report", "v1", "--out", "-", "--config", d.configArg).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{out, filepath.Join(d.dir, demoReportFile)} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(page, streamed) {
			t.Errorf("%s is not what the standard output tells", path)
		}
	}
	root, err := html.Parse(bytes.NewReader(streamed))
	if err != nil {
		t.Fatal(err)
	}
	plots := 0
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "svg" && len(n.Attr) > 0 && n.Attr[0].Val == "plot" {
			plots++
		}
	}
	if plots < 10 {
		t.Errorf("%d plots in the page of the demo", plots)
	}
	missing := exec.CommandContext(t.Context(), d.bin, "models", "report", "99", "--config", d.configArg)
	if said, err := missing.CombinedOutput(); err == nil || !strings.Contains(string(said), "models list") {
		t.Errorf("a version that there is not: %q, %v", said, err)
	}
}
