package training

import (
	"fmt"
	"time"
)

// UsageError says that the caller asked for something that cannot be; the command line exits with 2.
type UsageError struct {
	Message string // names what is wrong and the mend
}

func (e *UsageError) Error() string { return e.Message }

func usage(format string, a ...any) error { return &UsageError{Message: fmt.Sprintf(format, a...)} }

// DataError says that the rows in the warehouse or the file cannot teach a model: no known label, one class only, no row, no feature.
type DataError struct {
	Message string // names what is missing and the mend
}

func (e *DataError) Error() string { return e.Message }

func lacking(format string, a ...any) error { return &DataError{Message: fmt.Sprintf(format, a...)} }

// day writes an instant for people: the date alone if it is a midnight.
func day(t time.Time) string {
	t = t.UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}
