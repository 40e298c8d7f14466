package main

import (
	"os/exec"
	"strings"
	"testing"
)

// mayImport is the house of design.md §3: arrows point down only. Each room names the rooms of ours that it may reach,
// directly or through others.
var mayImport = map[string][]string{
	"internal":   {"internal"},
	"features":   {"internal", "features"},
	"models":     {"internal", "features", "models"},
	"training":   {"internal", "features", "models", "training"},
	"simulation": {"simulation"}, // the known world knows nothing of the product
	"pipelines":  {"internal", "features", "models", "training", "simulation", "pipelines"},
	"serving":    {"internal", "features", "models", "serving"}, // internal only through features; see TestServingReadsThroughInterfaces
}

func TestArrowsPointDown(t *testing.T) {
	for pkg, deps := range listDeps(t, "{{.ImportPath}} {{join .Deps \" \"}}") {
		allowed, ok := mayImport[room(pkg)]
		if !ok {
			continue // cmd/retain wires everything; testdata only holds bytes
		}
		for _, dep := range deps {
			if name, ours := strings.CutPrefix(dep, "retain/"); ours && !contains(allowed, room("retain/"+name)) {
				t.Errorf("%s reaches %s: %s may only reach %s", pkg, dep, room(pkg), strings.Join(allowed, ", "))
			}
		}
	}
}

func TestServingReadsThroughInterfaces(t *testing.T) {
	for pkg, imports := range listDeps(t, "{{.ImportPath}} {{join .Imports \" \"}}") {
		for _, dep := range imports {
			if room(pkg) == "serving" && strings.HasPrefix(dep, "retain/internal/") {
				t.Errorf("%s imports %s: declare an interface in serving instead", pkg, dep)
			}
		}
	}
}

// listDeps maps each package of the module to what the template's remaining words name.
func listDeps(t *testing.T, template string) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", template, "retain/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	listed := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		listed[words[0]] = words[1:]
	}
	if len(listed) < 8 {
		t.Fatalf("go list names %d packages only: the test looks at nothing", len(listed))
	}
	return listed
}

// room is the top folder of a package of ours.
func room(pkg string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(pkg, "retain/"), "/")
	return name
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
