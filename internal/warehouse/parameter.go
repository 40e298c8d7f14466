package warehouse

import (
	"fmt"
	"strings"
	"time"
)

var escaper = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

// Text is s as the value of a parameter {name:String} in clickhouse.Parameters, which ClickHouse reads as escaped text.
// Any text may be given; quotes need no care. Elements of an Array(String) parameter are another matter: see Texts.
func Text(s string) string { return escaper.Replace(s) }

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)

// Texts is the value of a parameter {name:Array(String)}.
func Texts(s []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, x := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\'')
		b.WriteString(quoter.Replace(x))
		b.WriteByte('\'')
	}
	b.WriteByte(']')
	return b.String()
}

// Instant is t as the value of a parameter {name:DateTime64(3)}, exact to the millisecond (finer is cut off).
func Instant(t time.Time) string {
	ms := t.UnixMilli()
	if ms < 0 { // ClickHouse would take -0.5 s for 0.5 s; statements run in UTC, so that text is as good
		return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000")
	}
	return fmt.Sprintf("%d.%03d", ms/1000, ms%1000)
}
