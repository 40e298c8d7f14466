package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// ruleBytes is the size of the largest configuration, catalogue or set of rules that is read. The shipped ones are below 48 kB.
const ruleBytes = 1 << 20

// readRules reads a file that people write: a configuration, a catalogue, a set of rules. A file above ruleBytes is an error, read no further.
// Other errors are those of the file system.
func readRules(path string) (text []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if text, err = io.ReadAll(io.LimitReader(file, ruleBytes+1)); err != nil {
		return nil, err
	}
	if len(text) > ruleBytes {
		return nil, fmt.Errorf("%s is larger than %d kB: is it the right file?", path, ruleBytes>>10)
	}
	return text, nil
}

// unfit tells what is wrong with the rules of a file: err holds a problem a line.
func unfit(path string, err error) error {
	problems := strings.Split(err.Error(), "\n")
	return &usageError{path + ":\n  " + strings.Join(problems, "\n  "), problems}
}
