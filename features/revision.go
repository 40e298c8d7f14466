package features

import (
	"fmt"
	"os"
	"runtime/debug"
)

// Revision tells one build of this program from another, since another one may compile the same definition otherwise: the source it was built from,
// or, where the build does not tell or the source had changes that nobody committed, the size and time of the executable.
func Revision() string {
	revision, modified := "", true
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if revision != "" && !modified {
		return revision
	}
	if self, err := os.Executable(); err == nil {
		if f, err := os.Stat(self); err == nil {
			return fmt.Sprintf("%s+%d+%d", revision, f.Size(), f.ModTime().UnixNano())
		}
	}
	return revision
}
