package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "retain.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigProblemsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown section", "warehous: {}\n", "line 1: unknown key warehous"},
		{"unknown key", "churn:\n  horizon: 90\n", "line 2: unknown key churn.horizon"},
		{"unknown key in a source", "sources:\n  usage: {tabel: x}\n", "line 2: unknown key sources.usage.tabel"},
		{"twice", "currency: EUR\ncurrency: USD\n", "line 2: key currency is there twice"},
		{"wrong type", "churn: {horizon_days: soon}\n", "line 1"},
		{"no mapping", "- a\n", "line 1"},
		{"broken", "churn: {\n", "line"},
		{"bad url", "warehouse: {url: ftp://x}\n", "warehouse.url"},
		{"bad margin", "value: {gross_margin: 3}\n", "value.gross_margin"},
		{"bad bands", "bands: {high: .2, medium: .5}\n", "bands"},
		{"rates without currency", "rates: {USD: 2}\n", "set currency"},
		{"leak without a reason", "train: {allow_leaks: {x: ''}}\n", "train.allow_leaks.x"},
		{"a second document", "currency: EUR\n---\ncurrency: USD\n", "second document"},
		{"port out of range", "serve: {addr: '127.0.0.1:99999'}\n", "serve.addr"},
		{"a budget below zero", "actions: {budget: -1}\n", "actions.budget: -1 is no amount"},
		{"a budget without end", "actions: {budget: .inf}\n", "actions.budget"},
		{"holdout above one", "actions: {holdout: 7}\n", "actions.holdout"},
		{"half a day", "churn:\n  horizon_days: 30.5\n", "line 2: churn.horizon_days: 30.5 is not a whole number"},
		{"no duration", "schedule: {backoff: 5}\n", "line 1: schedule.backoff: 5 is not a duration such as 10m"},
		{"no list", "churn:\n  activity: purchases\n", "line 2: churn.activity: purchases is not a list such as [a, b]"},
		{"no mapping", "serve: [1]\n", "line 1: serve: what stands there is not a mapping such as {key: value}"},
		{"no text", "warehouse: {url: {a: b}}\n", "line 1: warehouse.url: what stands there is not a text"},
		{"no instant", "churn: {data_until: soon}\n", "line 1: churn.data_until: soon is not an instant such as 2026-03-01"},
		{"a list of lists", "sources: {customers: {static: [[a]]}}\n", "line 1: sources.customers.static: what stands there is not a list such as [a, b]"},
		{"a fraction deep down", "schedule: {retries: 1.5}\n", "line 1: schedule.retries: 1.5 is not a whole number"},
		{"beyond the warehouse's times", "churn: {data_until: 9999-12-31}\n", "churn.data_until: 9999-12-31T00:00:00Z does not lie between"},
		{"before them", "snapshots: {from: 0001-01-01}\n", "snapshots.from: 0001-01-01T00:00:00Z does not lie between"},
		{"no time between", "snapshots: {from: 2026-02-01, until: 2026-01-01}\n", "snapshots.until"},
		{"no catalogue", "actions: {catalogue: ''}\n", "actions.catalogue: is empty"},
		{"no folder", "schedule: {import: {folder: ''}}\n", "schedule.import.folder: is empty"},
		{"no host", "warehouse: {url: 'https://'}\n", "names no host"},
		{"no features", "features: {catalogue: none}\n", "features.catalogue: none leaves no feature"},
		{"own features without a table", "sources: {features: {exclude: [email]}}\n", "sources.features: needs the table"},
		{"what own features alone take", "sources: {usage: {table: t, exclude: [email]}}\n", "sources.usage: exclude and max_age_days belong to sources.features"},
		{"bad zone", "schedule: {timezone: Mars}\n", "schedule.timezone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadConfig(writeConfig(t, c.text), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !isUsage(err) {
				t.Errorf("error %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestConfigTellsAllProblemsAtOnce(t *testing.T) {
	path := writeConfig(t, "value: {gross_margin: .nan}\nchurn: {horizon_days: -1, gap_days: soon}\nserve: {addr: nowhere}\nwarehous: {}\n")
	_, err := loadConfig(path, nil)
	var check struct{ Problems []string }
	got := retain(t, "", "config", "check", "--json", "--config", path)
	if json.Unmarshal([]byte(got.stdout), &check) != nil || len(check.Problems) != 5 || got.code != exitUsage {
		t.Errorf("config check --json: exit %d, %q; want 2 and a document of 5 problems", got.code, got.stdout)
	}
	for _, want := range []string{"value.gross_margin", "horizon_days", "serve.addr", "line 2: churn.gap_days: soon is not a whole number", "line 4: unknown key warehous"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestConfigOrder(t *testing.T) {
	path := writeConfig(t, "churn: {horizon_days: 60, data_until: 2024-05-01}\nfeatures: {catalogue: own.yaml}\n")
	c, err := loadConfig(path, []string{"RETAIN_CHURN_GAP_DAYS=7", "RETAIN_CHURN_HORIZON_DAYS=30", "RETAIN_CURRENCY=EUR", "RETAIN_UNRELATED=1"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Churn.HorizonDays != 30 || c.Churn.GapDays != 7 || *c.Currency != "EUR" {
		t.Errorf("the environment does not win: horizon %d, gap %d, currency %v", c.Churn.HorizonDays, c.Churn.GapDays, *c.Currency)
	}
	if c.Churn.GraceDays != 30 || c.Train.TimeBudget != 10*time.Minute {
		t.Errorf("defaults are lost: grace %d, budget %v", c.Churn.GraceDays, c.Train.TimeBudget)
	}
	if want := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC); c.Churn.DataUntil == nil || !c.Churn.DataUntil.Equal(want) {
		t.Errorf("data_until %v, want %v", c.Churn.DataUntil, want)
	}
	folder := filepath.Dir(path)
	if want := "embedded:" + filepath.Join(folder, "retain-data"); c.Warehouse.URL != want {
		t.Errorf("warehouse %s, want %s: the configuration's paths are relative to its folder", c.Warehouse.URL, want)
	}
	if want := filepath.Join(folder, "own.yaml"); *c.Features.Catalogue != want {
		t.Errorf("catalogue %s, want %s", *c.Features.Catalogue, want)
	}
}

func TestConfigOverridesNameTheirVariable(t *testing.T) {
	c, err := loadConfig(writeConfig(t, ""), []string{"RETAIN_SERVE_ADDR=[::1]:8080", "RETAIN_WAREHOUSE_URL=embedded:w:", "RETAIN_CHURN_ACTIVITY=[usage, purchases]",
		"RETAIN_SCHEDULE_IMPORT_FOLDER=/inbox"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Serve.Addr != "[::1]:8080" || len(c.Churn.Activity) != 2 || c.Schedule.Import.Folder == nil || *c.Schedule.Import.Folder != "/inbox" {
		t.Errorf("addr %q, activity %v, folder %v", c.Serve.Addr, c.Churn.Activity, c.Schedule.Import.Folder)
	}
	for variable, want := range map[string]string{
		"RETAIN_CHURN_HORIZON_DAYS=soon":  "RETAIN_CHURN_HORIZON_DAYS: \"soon\" does not fit: the key wants a whole number",
		"RETAIN_CHURN_HORIZON_DAYS=30.5":  "RETAIN_CHURN_HORIZON_DAYS: \"30.5\" does not fit: the key wants a whole number",
		"RETAIN_TRAIN_TIME_BUDGET=long":   "a duration",
		"RETAIN_SCHEDULE_IMPORT_SETTLE=x": "a duration",
		"RETAIN_ACTIONS_EXPLORE=perhaps":  "true or false",
	} {
		if _, err := loadConfig(writeConfig(t, ""), []string{variable}); !isUsage(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error with %q", variable, err, want)
		}
	}
}

func TestConfigNamedButMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := loadConfig(missing, nil); !isUsage(err) {
		t.Errorf("--config: %v, want a usage error", err)
	}
	if _, err := loadConfig("", []string{"RETAIN_CONFIG=" + missing}); !isUsage(err) {
		t.Errorf("RETAIN_CONFIG: %v, want a usage error", err)
	}
	t.Chdir(t.TempDir())
	if _, err := loadConfig("", nil); err != nil {
		t.Errorf("no retain.yaml: %v, want the defaults", err)
	}
}

// A file that cannot be a configuration is not read into memory, whatever its size.
func TestRuleFilesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.yaml")
	for size, want := range map[int]string{ruleBytes: "", ruleBytes + 1: "is larger than 1024 kB"} {
		if err := os.WriteFile(path, bytes.Repeat([]byte("#"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadConfig(path, nil)
		if want == "" && err != nil || want != "" && (!isUsage(err) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d bytes: %v, want %q", size, err, want)
		}
	}
}

// The commented file that init writes must say the defaults that the program has.
func TestInitWritesTheDefaults(t *testing.T) {
	path := writeConfig(t, string(commentedConfig))
	got, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := loadConfig(writeConfig(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	got.path, want.path, got.Warehouse.URL, want.Warehouse.URL = "", "", "", ""
	if diff := diffJSON(t, want, got); diff != "" {
		t.Errorf("retain.yaml of init differs from the defaults (-default +init):\n%s", diff)
	}
}
