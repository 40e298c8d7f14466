package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCatalogueShelf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "actions.yaml")
	write := func(actions string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("version: 1\nactions:\n  - {id: do_nothing, title: None, channel: none, class: service}\n"+actions), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const call = "  - {id: call, title: Call, channel: phone, class: service, message: Hi}\n"
	config := defaultConfig()
	config.Actions.Catalogue = &path
	var told []string
	var shelf catalogueShelf
	say := func(line string) { told = append(told, line) }

	write("  - {id: call, title: Call, channel: fax, class: service, message: Hi}\n")
	if _, err := shelf.read(&config, say); err == nil || !strings.Contains(err.Error(), "channel") || len(told) != 0 {
		t.Fatalf("a first file that is wrong: %v, told %q", err, told)
	}
	write(call)
	first, err := shelf.read(&config, say)
	if err != nil || len(told) != 0 {
		t.Fatalf("%v, told %q", err, told)
	}
	write("  - {id: call, title: Call, channel: fax, class: service, message: Hi}\n")
	for range 3 {
		if kept, err := shelf.read(&config, say); err != nil || kept != first {
			t.Fatalf("the last good catalogue is gone: %v", err)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "line 4, action call: channel: \"fax\"") || !strings.Contains(told[0], first.Catalogue.Hash()+" stays in force") {
		t.Errorf("the fault is told once, with its line: %q", told)
	}
	write(call + "  - {id: mail, title: Mail, channel: email, class: marketing, message: Hi}\n")
	next, err := shelf.read(&config, say)
	if err != nil || next.Catalogue.Index("mail") < 0 || len(told) != 2 || !strings.Contains(told[1], "version "+next.Catalogue.Hash()+" follows "+first.Catalogue.Hash()) {
		t.Errorf("%v, told %q", err, told)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if kept, err := shelf.read(&config, say); err != nil || kept != next || len(told) != 3 {
		t.Errorf("a file that is gone: %v, told %q", err, told)
	}
}
