package pipelines

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/internal/atomicfile"
)

// firstDay is the day of the shop on which its first night falls: there are labels enough to train on.
const firstDay = 150

var firstNight = nightOf(0)

// nightOf is five in the morning after firstDay + n days of the shop.
func nightOf(n int) time.Time { return worldStart.AddDate(0, 0, firstDay+n).Add(5 * time.Hour) }

// deliver puts the files that are there by a night into the folder of the house: all of the past on the first, a day's on the others.
func deliver(t *testing.T, house string, n int) {
	t.Helper()
	s := shop{customers: 40, seed: 11}
	text := s.csv(firstDay+n-1, firstDay+n)
	if n == 0 {
		text = s.csv(0, firstDay)
	}
	folder := house + "-in"
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(filepath.Join(folder, fmt.Sprintf("purchases-%03d.csv", n)), 0o600, text); err != nil {
		t.Fatal(err)
	}
}

// nightProcess is a process that catches up nights.
func nightProcess(t *testing.T, house string, nights ...int) *exec.Cmd {
	var instants []string
	for _, n := range nights {
		instants = append(instants, nightOf(n).Format(time.RFC3339))
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RETAIN_TEST_NIGHT="+house, "RETAIN_TEST_INSTANTS="+strings.Join(instants, " "))
	return cmd
}

// runNights runs a process to its end and returns its lines.
func runNights(t *testing.T, house string, nights ...int) []string {
	t.Helper()
	cmd := nightProcess(t, house, nights...)
	cmd.Env = append(cmd.Env, "RETAIN_TEST_TELL=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return lines(out)
}

func lines(out []byte) []string { return strings.Split(strings.TrimSpace(string(out)), "\n") }

// held are the lines that tell what the warehouse holds, sorted.
func held(lines []string) []string {
	out := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, "held: ") })
	slices.Sort(out)
	return out
}

// A night that is killed at any moment leaves the run before it in force, and the next start finishes the work: in the end everything is as if nothing had happened.
func TestNightKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills twenty processes")
	}
	const kills = 20
	house := filepath.Join(t.TempDir(), "house")
	deliver(t, house, 0)
	runNights(t, house, 0)
	begin := time.Now()
	deliver(t, house, 1)
	runNights(t, house, 1)
	whole := time.Since(begin)

	rng := rand.New(rand.NewPCG(3, 14))
	night := 2
	deliver(t, house, night)
	var seen []string // in force after a kill
	for killed := 0; killed < kills; {
		cmd := nightProcess(t, house, night)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rng.Float64()*float64(whole)), func() { cmd.Process.Signal(syscall.SIGKILL) })
		err := cmd.Wait()
		timer.Stop()
		if strings.Contains(out.String(), "child: error") {
			t.Fatalf("night %d: %s", night, out.String())
		}
		for _, l := range lines(out.Bytes()) {
			if strings.HasPrefix(l, "child: in force") {
				seen = append(seen, strings.TrimPrefix(l, "child: in force "))
			}
		}
		if err != nil {
			killed++
			continue
		}
		night++ // it went through: the next day
		deliver(t, house, night)
	}
	got := runNights(t, house, night)

	calm := filepath.Join(t.TempDir(), "calm")
	var want []string
	var inForce []string
	deliver(t, calm, 0)
	runNights(t, calm, 0)
	for n := 1; n <= night; n++ { // one by one, as the files came
		deliver(t, calm, n)
		want = runNights(t, calm, n)
		for _, l := range want {
			if strings.HasPrefix(l, "child: in force ") {
				inForce = append(inForce, strings.TrimPrefix(l, "child: in force "))
			}
		}
	}
	if diff := cmp.Diff(held(want), held(got)); diff != "" {
		t.Errorf("after %d kills over %d nights the warehouse differs from an undisturbed one (-undisturbed +killed):\n%s", kills, night, diff)
	}
	for _, s := range seen {
		var day, id string
		var n, of int
		if _, err := fmt.Sscanf(s, "%s %s %d of %d", &day, &id, &n, &of); err != nil || n != of || of == 0 {
			t.Errorf("in force after a kill: %s", s)
		}
	}
	if !slices.IsSorted(days(seen)) {
		t.Errorf("an older run came into force: %v", days(seen))
	}
	t.Logf("%d kills over %d nights; a night undisturbed takes %v; runs in force at %d starts, %d of them also in force between undisturbed nights",
		kills, night, whole, len(seen), len(intersection(seen, inForce)))
	left, err := filepath.Glob(filepath.Join(house+"-in", "*.csv"))
	if err != nil || len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	done, err := filepath.Glob(filepath.Join(house+"-in", "done", "*"))
	if err != nil || len(done) != night+1 {
		t.Errorf("%d files are done, want %d: %v", len(done), night+1, done)
	}
}

func days(inForce []string) (out []string) {
	for _, s := range inForce {
		day, _, _ := strings.Cut(s, " ")
		out = append(out, day)
	}
	return out
}

func intersection(a, b []string) (out []string) {
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// Two schedulers at once on one embedded warehouse do the work once; when the one that holds the warehouse is killed, the other takes over.
func TestTwoSchedulers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	calm, house := filepath.Join(t.TempDir(), "calm"), filepath.Join(t.TempDir(), "house")
	for _, h := range []string{calm, house} {
		deliver(t, h, 0)
		runNights(t, h, 0)
	}
	deliver(t, calm, 1)
	begin := time.Now()
	runNights(t, calm, 1)
	whole := time.Since(begin)
	deliver(t, calm, 2)
	want := runNights(t, calm, 2)

	for _, night := range []struct {
		n    int
		kill bool
	}{{1, false}, {2, true}} {
		deliver(t, house, night.n)
		var outs [2]bytes.Buffer
		var cmds [2]*exec.Cmd
		for i := range cmds {
			cmds[i] = nightProcess(t, house, night.n)
			cmds[i].Stdout, cmds[i].Stderr = &outs[i], &outs[i]
			if err := cmds[i].Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(whole / 10) // the first one becomes the holder
		}
		if night.kill {
			time.AfterFunc(whole/3, func() { cmds[0].Process.Signal(syscall.SIGKILL) })
		}
		errs := [2]error{cmds[0].Wait(), cmds[1].Wait()}
		if errs[1] != nil || !night.kill && errs[0] != nil {
			t.Fatalf("night %d: %v\n%s\n%s", night.n, errs, outs[0].String(), outs[1].String())
		}
	}
	got := runNights(t, house, 2)
	if diff := cmp.Diff(held(want), held(got)); diff != "" {
		t.Errorf("two schedulers leave another warehouse than one (-one +two):\n%s", diff)
	}
}
