package doctor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/training/metrics"
)

const day = 24 * time.Hour

// fine, warn, wrong and skip make findings; the mend of the first and the last is empty.
func fine(format string, args ...any) finding {
	return finding{Status: OK, Message: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) finding {
	return finding{Status: Skipped, Message: fmt.Sprintf(format, args...)}
}

func warn(mend, format string, args ...any) finding {
	return finding{Status: Warning, Message: fmt.Sprintf(format, args...), Mend: mend}
}

func wrong(mend, format string, args ...any) finding {
	return finding{Status: Error, Message: fmt.Sprintf(format, args...), Mend: mend}
}

// with adds the figures behind the message.
func (f finding) with(figures Figures) finding {
	f.Figures = figures
	return f
}

// share is n/of, 0 where there is nothing.
func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// percent writes a share so that neither a few nor all but a few are rounded away.
func percent(s float64) string {
	switch {
	case s == 0 || s == 1:
		return strconv.FormatFloat(100*s, 'f', 0, 64) + " %"
	case s < .001:
		return "less than 0.1 %"
	case s > .999:
		return "more than 99.9 %"
	}
	return strconv.FormatFloat(100*s, 'f', 1, 64) + " %"
}

// dayOf writes the day of an instant.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// days writes a length in whole days.
func days(d time.Duration) string { return spoken.Counted(int64(math.Round(d.Hours()/24)), "day") }

// past writes how long ago something was, in days that are over, as lists of customers do.
func past(d time.Duration) string { return spoken.Counted(int64(d.Hours()/24), "day") + " ago" }

// firstLine shortens what an engine has to say.
func firstLine(err error) string {
	if why := features.Unfit(err); why != "" {
		return why
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	const longest = 600
	if len(line) > longest {
		line = strings.ToValidUTF8(line[:longest], "") + "…"
	}
	return line
}

func figure(n int64) metrics.Figure { return metrics.Figure(n) }

func figureOf(v float64) metrics.Figure { return metrics.Figure(v) }
