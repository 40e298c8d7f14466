package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Format is the layout of a table.
type Format int

// The formats. Sniff decides by the first bytes: gzip and Parquet by their magic, an object is NDJSON, a header with a tab is TSV, else it is CSV.
const (
	Sniff Format = iota
	CSV
	TSV
	NDJSON
	Parquet
)

var (
	gzipMagic    = []byte{0x1f, 0x8b}
	parquetMagic = []byte("PAR1")
	mark         = []byte("\xef\xbb\xbf") // UTF-8 byte order mark
)

// formatOf tells the format by the name of a file.
func formatOf(name string) (f Format, zipped bool, err error) {
	base := strings.ToLower(name)
	if b, ok := strings.CutSuffix(base, ".gz"); ok {
		base, zipped = b, true
	}
	switch ext := filepath.Ext(base); ext {
	case ".csv":
		return CSV, zipped, nil
	case ".tsv", ".tab":
		return TSV, zipped, nil
	case ".ndjson", ".jsonl":
		return NDJSON, zipped, nil
	case ".parquet":
		if zipped {
			return 0, false, errors.New("a Parquet file is compressed inside: unpack it with gunzip")
		}
		return Parquet, false, nil
	case ".xlsx", ".xls", ".ods":
		return 0, false, fmt.Errorf("%s is a spreadsheet's own format: save the sheet as CSV UTF-8", ext)
	default:
		return 0, false, fmt.Errorf("the extension %q names no format that is read (.csv, .tsv, .ndjson, .jsonl, each also with .gz, and .parquet): rename the file, or give it on standard input as \"-\"", ext)
	}
}

// check decides an open format by the first bytes and refuses what is surely something else.
func (f Format) check(head []byte) (Format, error) {
	switch {
	case len(head) == 0:
		return 0, errors.New("is empty: at least a line with the column names is needed")
	case bytes.HasPrefix(head, parquetMagic):
		return 0, errors.New("is a Parquet file: its name must end in .parquet, without gzip around it")
	case bytes.HasPrefix(head, gzipMagic):
		return 0, errors.New("is gzipped: its name must end in .gz")
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return 0, errors.New("is UTF-16: convert it, for example with iconv -f UTF-16 -t UTF-8")
	}
	if f != Sniff {
		return f, nil
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, mark), " \t\r\n")
	if len(head) > 0 && head[0] == '{' {
		return NDJSON, nil
	}
	if len(head) > 0 && head[0] == '[' {
		return 0, errors.New("begins with a JSON array: give one object a line (jq -c '.[]')")
	}
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	}
	if bytes.IndexByte(head, '\t') >= 0 {
		return TSV, nil
	}
	return CSV, nil
}

// separator tells what parts the columns of a CSV file: the comma, unless the first line has none outside quotes and has semicolons (as spreadsheets
// write where the comma stands before decimals), tabs or bars; then the most frequent of them.
func separator(head []byte) byte {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, mark), "\r\n")
	const others = ";\t|"
	var count [256]int
	quoted := false
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if quoted {
			continue
		}
		if c == '\n' {
			break
		}
		count[c]++
	}
	best := byte(',')
	if count[','] > 0 {
		return best
	}
	for _, c := range []byte(others) {
		if count[c] > count[best] {
			best = c
		}
	}
	return best
}

// peek returns the first bytes of r, up to 64 kB, and a reader of everything.
func peek(r io.Reader) ([]byte, io.Reader, error) {
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(r, head) // a gzip stream that ends early gives its error again when it is read on
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, nil, err
	}
	return head[:n], io.MultiReader(bytes.NewReader(head[:n]), r), nil
}
