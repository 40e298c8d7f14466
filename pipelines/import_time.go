package pipelines

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

// The instants that DateTime64 holds, in milliseconds: the years 1900 to 2299.
var (
	firstInstant = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastInstant  = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() - 1
)

const (
	formatUnix      = "unix"
	formatUnixMilli = "unix_ms"
	formatOr        = "|" // parts forms that are tried in turn
)

// checkTimeFormat refuses a format that is neither a name nor a strptime pattern.
func checkTimeFormat(format string) error {
	if first, rest, several := strings.Cut(format, formatOr); several {
		if first == "" || rest == "" {
			return fmt.Errorf("%w: --time-format %q: a form is empty beside the bar", ErrImportOptions, format)
		}
		return errors.Join(checkTimeFormat(first), checkTimeFormat(rest))
	}
	if format == "" || format == formatUnix || format == formatUnixMilli {
		return nil
	}
	probe := time.Date(2024, 11, 23, 13, 14, 15, 0, time.UTC)
	text := timefmt.Format(probe, format)
	_, err := timefmt.Parse(text, format)
	if !bytes.ContainsRune([]byte(format), '%') || err != nil {
		return fmt.Errorf("%w: --time-format %q is neither unix, unix_ms nor a strptime pattern such as %%d-%%m-%%Y %%H:%%M", ErrImportOptions, format)
	}
	return nil
}

// instant reads a time as milliseconds since 1970, later digits cut off. Without a format it takes a date (its midnight), or a date and a time
// of day, parted by a blank or T, with or without offset; without one it is in the zone. A timed value has that form whatever the format says.
func (v *importValues) instant(b []byte, timed bool) (int64, string) {
	b = bytes.TrimSpace(b)
	if timed {
		return v.instantOf(b, "")
	}
	for rest := v.format; ; {
		format, next, more := strings.Cut(rest, formatOr)
		ms, fault := v.instantOf(b, format)
		if fault == "" || !more {
			if fault != "" && rest != v.format {
				fault = fmt.Sprintf("is no time of any of the forms %s: check --time-format", v.format)
			}
			return ms, fault
		}
		rest = next
	}
}

// instantOf reads a time of one form.
func (v *importValues) instantOf(b []byte, format string) (int64, string) {
	var ms int64
	switch format {
	case "":
		var fault string
		if ms, fault = v.calendar(b); fault != "" {
			return 0, fault
		}
	case formatUnix, formatUnixMilli:
		scale, unit := 3, "seconds"
		if format == formatUnixMilli {
			scale, unit = 0, "milliseconds"
		}
		d, fault := decimal(b, scale)
		if fault != "" {
			return 0, "is not a time in " + unit + " since 1970: check --time-format"
		}
		if ms = d.signed(); d.lost && d.negative {
			ms-- // towards the past, as for every time: what lies before a cutoff stays before it
		}
	default:
		t, err := timefmt.ParseInLocation(string(b), format, v.zone)
		if err != nil {
			return 0, fmt.Sprintf("is no time of the form %s: check --time-format", format)
		}
		ms = floorMilli(t)
	}
	if ms < firstInstant || ms > lastInstant {
		return 0, "lies outside the years 1900 to 2299: check --time-format (unix is in seconds, unix_ms in milliseconds)"
	}
	return ms, ""
}

// floorMilli is UnixMilli for any sign of the time.
func floorMilli(t time.Time) int64 {
	return t.Unix()*1000 + int64(t.Nanosecond()/1e6)
}

const notTime = "is no time such as 2024-05-31, 2024-05-31 23:59:59 or 2024-05-31T23:59:59Z: give its form with --time-format"

// calendar reads the default forms.
func (v *importValues) calendar(b []byte) (int64, string) {
	year, ok1 := digits(b, 0, 4)
	month, ok2 := digits(b, 5, 2)
	day, ok3 := digits(b, 8, 2)
	if !ok1 || !ok2 || !ok3 || b[4] != '-' || b[7] != '-' {
		return 0, notTime
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, "is no day of the calendar: mend it"
	}
	clock, ms, offset, zoned := 0, 0, 0, false // clock and offset in seconds
	if rest := b[10:]; len(rest) > 0 {
		if rest[0] != ' ' && rest[0] != 'T' {
			return 0, notTime
		}
		hour, ok1 := digits(rest, 1, 2)
		minute, ok2 := digits(rest, 4, 2)
		if !ok1 || !ok2 || rest[3] != ':' {
			return 0, notTime
		}
		second := 0
		rest = rest[6:]
		if len(rest) > 0 && rest[0] == ':' {
			var ok bool
			if second, ok = digits(rest, 1, 2); !ok {
				return 0, notTime
			}
			rest = rest[3:]
			if len(rest) > 0 && rest[0] == '.' {
				n := 1
				for unit := 100; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n, unit = n+1, unit/10 {
					ms += int(rest[n]-'0') * unit
				}
				if n == 1 {
					return 0, notTime
				}
				rest = rest[n:]
			}
		}
		if hour > 23 || minute > 59 || second > 59 {
			return 0, "is no time of day: mend it"
		}
		clock = hour*3600 + minute*60 + second
		if len(rest) > 0 {
			var ok bool
			if offset, ok = zoneOffset(rest); !ok {
				return 0, notTime
			}
			zoned = true
		}
	}
	if !zoned && v.zone != time.UTC {
		t := time.Date(year, time.Month(month), day, clock/3600, clock/60%60, clock%60, ms*1e6, v.zone)
		return floorMilli(t), ""
	}
	return (int64(daysSince1970(year, month, day))*86400+int64(clock-offset))*1000 + int64(ms), ""
}

// zoneOffset reads Z, UTC, ±hh, ±hhmm or ±hh:mm, with or without a blank before it, in seconds east of UTC.
func zoneOffset(b []byte) (int, bool) {
	if b[0] == ' ' {
		b = b[1:]
	}
	if s := string(b); s == "Z" || s == "z" || s == "UTC" {
		return 0, true
	}
	hours, ok := digits(b, 1, 2)
	if !ok || b[0] != '+' && b[0] != '-' || hours > 18 {
		return 0, false
	}
	minutes := 0
	if rest := b[3:]; len(rest) > 0 {
		if rest[0] == ':' {
			rest = rest[1:]
		}
		if minutes, ok = digits(rest, 0, 2); !ok || len(rest) != 2 || minutes > 59 {
			return 0, false
		}
	}
	seconds := hours*3600 + minutes*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// digits reads n decimal digits of b from i.
func digits(b []byte, i, n int) (int, bool) {
	if len(b) < i+n {
		return 0, false
	}
	v := 0
	for _, c := range b[i : i+n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2
}

// daysSince1970 counts days of the proleptic Gregorian calendar of the years 1 to 9999
// (H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil).
func daysSince1970(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	inEra := year - era*400
	inYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + inEra*365 + inEra/4 - inEra/100 + inYear - 719468
}
