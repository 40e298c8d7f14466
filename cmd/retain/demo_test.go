package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"retain/features"
	"retain/models"
	"retain/models/actions"
	"retain/pipelines"
)

// TestDemo walks the whole way that README shows, with the program as users start it: the demo serves while other commands, curl
// and a browser ask it.
func TestDemo(t *testing.T) {
	d := startDemo(t)

	t.Run("scores everyone", func(t *testing.T) {
		var list struct {
			RunID     string         `json:"run_id"`
			Total     int            `json:"total"`
			Customers []models.Score `json:"customers"`
		}
		d.json(t, &list, "at-risk", "--limit", "50")
		if len(list.Customers) != 50 || list.RunID == "" {
			t.Fatalf("%d customers in run %q, want 50", len(list.Customers), list.RunID)
		}
		for i, c := range list.Customers {
			if c.Status != models.StatusScored || *c.ChurnProbability <= 0 || *c.ChurnProbability >= 1 {
				t.Fatalf("customer %d: status %s, probability %v", i, c.Status, *c.ChurnProbability)
			}
			if i > 0 && *c.ExpectedLoss > *list.Customers[i-1].ExpectedLoss {
				t.Fatalf("customer %d loses more than the one before", i)
			}
		}
		var again models.Run
		d.json(t, &again, "score")
		if again.ID != list.RunID {
			t.Errorf("scoring the same again made run %s beside %s", again.ID, list.RunID)
		}
		if again.Scored != list.Total || again.Customers < demoCustomers {
			t.Errorf("%d of %d customers scored, the list has %d; %d were made", again.Scored, again.Customers, list.Total, demoCustomers)
		}
	})

	t.Run("reports", d.reports)

	t.Run("reasons add up", func(t *testing.T) {
		var e pipelines.Explanation
		d.json(t, &e, "explain", d.customer)
		sum := *e.Base
		for _, c := range e.Contributions {
			sum += c.Contribution
		}
		if math.Abs(sum-*e.Margin) >= 1e-6 {
			t.Errorf("base and contributions add up to %v, the margin is %v", sum, *e.Margin)
		}
		short := *e.Base
		for _, r := range e.Reasons {
			short += r.Contribution
		}
		if math.Abs(short-*e.Margin) >= 1e-6 {
			t.Errorf("base and reasons add up to %v, the margin is %v", short, *e.Margin)
		}
	})

	t.Run("http and terminal agree", func(t *testing.T) {
		var served, told models.Score
		d.get(t, "/v1/customers/"+d.customer+"/score", http.StatusOK, &served)
		d.json(t, &told, "customer", d.customer)
		served.DataAgeS, told.DataAgeS = 0, 0
		if diff := diffJSON(t, told, served); diff != "" {
			t.Errorf("the service and the terminal differ (-terminal +http):\n%s", diff)
		}
		var page struct {
			Items []models.Score `json:"items"`
			Next  *string        `json:"next_cursor"`
		}
		d.get(t, "/v1/at-risk?limit=3", http.StatusOK, &page)
		if len(page.Items) != 3 || page.Items[0].CustomerID != d.customer || page.Next == nil {
			t.Errorf("at-risk over HTTP: %+v", page)
		}
		d.get(t, "/v1/customers/nobody/score", http.StatusNotFound, nil)

		var answered, printed actions.Answer
		d.get(t, "/v1/customers/"+d.customer+"/next-best-actions?max_results=25", http.StatusOK, &answered)
		d.json(t, &printed, "actions", d.customer, "--max", "25")
		if diff := diffJSON(t, printed, answered); diff != "" || len(answered.Actions) == 0 || answered.Actions[0].Action != answered.Chosen {
			t.Errorf("next best actions of the service and the terminal differ (-terminal +http):\n%s", diff)
		}
	})

	t.Run("a revoked key is refused within five seconds", func(t *testing.T) {
		var key createdKey
		d.json(t, &key, "keys", "create", "--scopes", "scores:read")
		if got := d.status(t, key.Key); got != http.StatusOK {
			t.Fatalf("new key: status %d", got)
		}
		d.json(t, nil, "keys", "revoke", key.ID)
		deadline := time.Now().Add(5 * time.Second)
		for d.status(t, key.Key) != http.StatusUnauthorized {
			if time.Now().After(deadline) {
				t.Fatal("the revoked key still works after five seconds")
			}
			time.Sleep(100 * time.Millisecond)
		}
	})

	t.Run("export has a row per eligible customer", func(t *testing.T) {
		var preview features.Preview
		d.json(t, &preview, "label", "preview")
		known := slices.DeleteFunc(preview.Cutoffs, func(c features.CutoffPreview) bool { return !c.Known })
		if len(known) == 0 {
			t.Fatal("no cutoff has known labels")
		}
		c := known[len(known)-1]
		rows, churned := exported(t, d.bin, d.configArg, c.Cutoff.Format(time.DateOnly))
		if rows != c.Eligible || churned != c.Churned || churned == 0 {
			t.Errorf("%d rows, %d churned; the preview has %d and %d", rows, churned, c.Eligible, c.Churned)
		}
	})

	t.Run("browser", func(t *testing.T) { browse(t, d) })

	t.Run("stops in good order", func(t *testing.T) {
		if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := d.cmd.Wait(); err != nil {
			t.Errorf("the demo ended with %v after SIGTERM", err)
		}
	})
}

// TestDemoOfCDNOW shows the real data set: its counts are known from elsewhere.
func TestDemoOfCDNOW(t *testing.T) {
	bin, dir := buildBinary(t), filepath.Join(t.TempDir(), "demo")
	cmd := exec.CommandContext(t.Context(), bin, "demo", "--dataset", "cdnow", "--once", "--json", "--dir", dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("retain demo: %v\n%s", err, errs.String())
	}
	var report demoReport
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("retain demo prints no JSON: %v\n%s", err, out)
	}
	if report.Dataset != "cdnow" || report.Run.Customers != 23570 || len(report.Customers) != 10 {
		t.Errorf("data set %s, %d customers, %d listed; want CDNOW's 23,570 and 10", report.Dataset, report.Run.Customers, len(report.Customers))
	}
	rows, churned := exported(t, bin, filepath.Join(dir, "retain.yaml"), "1998-04-01")
	if rows != 9526 || churned != 6683 {
		t.Errorf("%d rows, %d churned; want the 9,526 who bought in the 365 days before, and the 6,683 of them who bought nothing in the 90 days after", rows, churned)
	}
}

// exported counts the rows and the labels 1 of an export.
func exported(t *testing.T, bin, config, cutoff string) (rows, churned int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "features.csv")
	cmd := exec.CommandContext(t.Context(), bin, "features", "export", "--config", config, "--cutoff", cutoff, "--labels", "--out", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("retain features export: %v\n%s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte("\n")) - 1, bytes.Count(text, []byte(",1\n"))
}

// running is a demo that serves.
type running struct {
	bin, dir  string
	cmd       *exec.Cmd
	url       string // of the service
	link      string // signs a browser in, once
	key       string
	customer  string // the first of the at-risk list
	printed   *bytes.Buffer
	configArg string
}

var (
	keyPattern      = regexp.MustCompile(`Bearer (rk_[a-z2-7_]+)" "(http://[^/]+)/v1/customers/([^/]+)/score"`)
	linkPattern     = regexp.MustCompile(`http://\S+/signin\?once=\S+`)
	servingDeadline = 8 * time.Minute // of a machine that does much else
)

func startDemo(t *testing.T) *running {
	t.Helper()
	d := &running{bin: buildBinary(t), dir: filepath.Join(t.TempDir(), "demo")}
	d.configArg = filepath.Join(d.dir, "retain.yaml")
	d.cmd = exec.Command(d.bin, "demo", "--dir", d.dir, "--addr", "127.0.0.1:0")
	d.cmd.Dir = t.TempDir()
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			_ = d.cmd.Process.Kill() // the test has failed already, or Wait was called
			_ = d.cmd.Wait()
		}
	})
	lines, told := bufio.NewScanner(stderr), make(chan string, 1000)
	go func() {
		defer close(told)
		for lines.Scan() {
			told <- lines.Text()
		}
	}()
	d.printed = &bytes.Buffer{}
	timeout := time.After(servingDeadline)
	for {
		select {
		case line, ok := <-told:
			if !ok {
				t.Fatalf("the demo ended before it served:\n%s", d.printed)
			}
			fmt.Fprintln(d.printed, line)
			if m := keyPattern.FindStringSubmatch(line); m != nil {
				d.key, d.url, d.customer = m[1], m[2], m[3]
			}
			if m := linkPattern.FindString(line); m != "" {
				d.link = m
			}
			if strings.HasPrefix(line, "Serving on ") {
				go func() { // keep the pipe empty: a full one would block the service's log
					for range told {
					}
				}()
				return d
			}
		case <-timeout:
			t.Fatalf("the demo does not serve after %v:\n%s", servingDeadline, d.printed)
		}
	}
}

// buildBinary builds the program as make build does, with the engine found in the cache.
func buildBinary(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "retain")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// json runs another retain command beside the demo and decodes the one document it prints.
func (d *running) json(t *testing.T, into any, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), d.bin, append(args, "--json", "--config", d.configArg)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("retain %v: %v\n%s", args, err, errs.String())
	}
	if into == nil {
		into = new(any)
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		t.Fatalf("retain %v prints no JSON: %v\n%s", args, err, out.String())
	}
}

func (d *running) request(t *testing.T, key, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (d *running) get(t *testing.T, path string, status int, into any) {
	t.Helper()
	resp := d.request(t, d.key, path)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("GET %s: status %d, want %d: %v %s", path, resp.StatusCode, status, err, body)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("GET %s: %v\n%s", path, err, body)
		}
	}
}

func (d *running) status(t *testing.T, key string) int {
	t.Helper()
	resp := d.request(t, key, "/v1/at-risk?limit=1")
	resp.Body.Close()
	return resp.StatusCode
}

// browse signs in by the one-time link, looks at the list, opens a customer, and takes the screenshots of the README
// (kept where RETAIN_SCREENSHOTS names a folder).
func browse(t *testing.T, d *running) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("TestDemo/browser needs a browser: apt-get install -y chromium")
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute))
	defer stop()
	ctx, cancel := chromedp.NewContext(allocator)
	defer cancel()
	ctx, expire := context.WithTimeout(ctx, 2*time.Minute)
	defer expire()

	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 860)); err != nil {
		t.Fatal(err)
	}
	if status := follow(ctx, t, chromedp.Navigate(d.link)); status != http.StatusOK {
		t.Fatalf("the sign-in link: status %d", status)
	}
	if list := ask(ctx, t, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(list, d.customer) {
		t.Errorf("the list does not show customer %s: %.300q", d.customer, list)
	}
	keepShot(ctx, t, "at-risk.png")
	follow(ctx, t, chromedp.Click(chromedp.CSS(`table a[href="/customers/`+d.customer+`"]`)))
	if heading := ask(ctx, t, chromedp.Text(chromedp.CSS("h1"))); !strings.Contains(heading, d.customer) {
		t.Errorf("heading %q, want customer %s", heading, d.customer)
	}
	if page := ask(ctx, t, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(page, "%") {
		t.Errorf("no probability on the customer's page: %.300q", page)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 2000)); err != nil { // down to the timeline
		t.Fatal(err)
	}
	keepShot(ctx, t, "customer.png")
	if _, err := chromedp.Call(ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if status := follow(ctx, t, chromedp.Navigate(d.link)); status == http.StatusOK {
		t.Error("the one-time link works twice")
	}
}

// follow runs a step that leads to another page and returns its status.
func follow(ctx context.Context, t *testing.T, step chromedp.Action[chromedp.Void]) int64 {
	t.Helper()
	response, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		t.Fatal(err)
	}
	return response.Status
}

// ask runs an action that returns something.
func ask[T any](ctx context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// keepShot takes a screenshot and keeps it in the folder that RETAIN_SCREENSHOTS names, if it names one.
func keepShot(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	picture := ask(ctx, t, chromedp.CaptureScreenshot())
	if folder := os.Getenv("RETAIN_SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil {
			t.Error(err)
		}
	}
}
