package rule

import (
	"fmt"
	"strings"
)

// FileError is one thing wrong with a file that holds rules.
type FileError struct {
	File  string // what it is: actions, lifecycle
	Line  int    // 0 = unknown
	Entry string // "action save_call", or the name of a stage or term; "" = the file as a whole
	Fault string // what is wrong and the mend
}

func (e *FileError) Error() string {
	var s strings.Builder
	s.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&s, " line %d", e.Line)
	}
	if e.Entry != "" {
		s.WriteString(", " + e.Entry)
	}
	return s.String() + ": " + e.Fault
}
