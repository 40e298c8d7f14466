//go:build !linux

package atomicfile

import (
	"errors"
	"os"
)

// nameless opens a file without a name, which only Linux has.
func nameless(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func nameIt(*os.File, string) (string, error) { return "", errors.ErrUnsupported }
