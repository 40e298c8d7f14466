package serving_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is one tab of Debian's chromium.
type tab struct {
	t        *testing.T
	ctx      context.Context
	base     string // address of the service
	pictures string // where shot writes: RETAIN_SCREENSHOTS, else the test's artifacts

	mu         sync.Mutex
	complaints []string // what the content policy stopped, and scripts that failed
}

// openTab starts the browser, or skips the test and says how to get it.
func openTab(t *testing.T, base string) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skipf("%s needs a browser: apt-get install -y chromium", t.Name())
	}
	b := &tab{t: t, base: base, pictures: os.Getenv("RETAIN_SCREENSHOTS")}
	if b.pictures == "" {
		b.pictures = t.ArtifactDir()
	}
	if err := os.MkdirAll(b.pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"),
		chromedp.WSURLReadTimeout(time.Minute),
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.base+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			b.complaints = append(b.complaints, "asked another host: "+e.Request.URL)
		}
	case *log.EventEntryAdded:
		if e.Entry.Source != "network" { // that is the 401 of a wrong key
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	}
}

// quiet fails the test when the browser complained.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) > 0 {
		b.t.Errorf("the browser complains: %q", b.complaints)
	}
}

// do runs steps that stay on the page.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// follow runs steps that lead to another page, waits for it and returns its status.
func (b *tab) follow(steps ...chromedp.Action[chromedp.Void]) int64 {
	b.t.Helper()
	response, err := chromedp.RunResponse(b.ctx, steps...)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.Status
}

// open goes to a path of the service.
func (b *tab) open(path string) int64 {
	b.t.Helper()
	return b.follow(chromedp.Navigate(b.base + path))
}

// click follows a link or sends a form.
func (b *tab) click(css string) int64 {
	b.t.Helper()
	return b.follow(chromedp.Click(chromedp.CSS(css)))
}

// enter types into a field and sends its form.
func (b *tab) enter(css, text string) int64 {
	b.t.Helper()
	return b.follow(chromedp.SendKeys(chromedp.CSS(css), text+"\r"))
}

func (b *tab) text(css string) string {
	b.t.Helper()
	return ask(b, chromedp.Text(chromedp.CSS(css)))
}

// ask runs an action that returns something.
func ask[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// shot takes the whole page, and fails when it is wider than the window: a reader must never scroll sideways.
func (b *tab) shot(name string) {
	b.t.Helper()
	beyond := ask(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if beyond > 0 {
		b.t.Errorf("%s is %d pixels wider than the window", name, beyond)
	}
	picture := ask(b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(b.pictures, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// colours sets what prefers-color-scheme tells: light or dark.
func (b *tab) colours(scheme string) {
	b.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) desktop() { b.t.Helper(); b.do(chromedp.EmulateViewport(1280, 860)) }

func (b *tab) phone() {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile))
}
