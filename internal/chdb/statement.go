package chdb

import (
	"regexp"
	"strings"
)

// tokenKind tells what a piece of SQL is, as far as this package must know.
type tokenKind int

const (
	blank  tokenKind = iota // white space or a comment
	quoted                  // '…', "…", `…` or $tag$…$tag$
	word                    // a keyword, a name or a number
	other                   // one other byte
)

var heredocTag = regexp.MustCompile(`^\$\w*\$`)

// token returns the kind and the end of the token of sql that begins at i.
func token(sql string, i int) (tokenKind, int) {
	rest := sql[i:]
	upTo := func(end string) int { // past the next end, or to the end of the text
		if n := strings.Index(rest, end); n >= 0 {
			return i + n + len(end)
		}
		return len(sql)
	}
	switch c := rest[0]; {
	case strings.IndexByte(" \t\r\n\v\f", c) >= 0:
		return blank, i + 1
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
		return blank, upTo("\n")
	case strings.HasPrefix(rest, "/*"):
		return blank, upTo("*/")
	case c == '\'' || c == '"' || c == '`':
		for j := i + 1; j < len(sql); j++ {
			switch sql[j] {
			case '\\':
				j++
			case c: // a doubled quote reads as two quoted tokens side by side, which is as good
				return quoted, j + 1
			}
		}
		return quoted, len(sql)
	case c == '$':
		tag := heredocTag.FindString(rest)
		if tag == "" {
			return other, i + 1
		}
		if n := strings.Index(rest[len(tag):], tag); n >= 0 {
			return quoted, i + n + 2*len(tag)
		}
		return other, i + 1
	case isWordByte(c):
		j := i + 1
		for j < len(sql) && isWordByte(sql[j]) {
			j++
		}
		return word, j
	}
	return other, i + 1
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// Statements splits sql at the semicolons that stand outside quotes and comments, and leaves out what holds nothing but
// blanks and comments. Statements keep their comments. Rows inlined after INSERT … VALUES or FORMAT must hold no bare
// semicolon.
func Statements(sql string) []string {
	var statements []string
	start, empty := 0, true
	end := func(i int) {
		if !empty {
			statements = append(statements, strings.TrimSpace(sql[start:i]))
		}
	}
	for i := 0; i < len(sql); {
		kind, next := token(sql, i)
		switch {
		case kind == other && sql[i] == ';':
			end(i)
			start, empty = next, true
		case kind != blank:
			empty = false
		}
		i = next
	}
	end(len(sql))
	return statements
}

// leading returns the first n words of a statement in upper case; comments and opening brackets are passed over.
func leading(sql string, n int) []string {
	var words []string
	for i := 0; i < len(sql) && len(words) < n; {
		kind, next := token(sql, i)
		switch {
		case kind == word:
			words = append(words, strings.ToUpper(sql[i:next]))
		case kind == quoted, kind == other && sql[i] != '(':
			return words
		}
		i = next
	}
	return words
}

// statementKind is how a statement is to be run.
type statementKind int

const (
	whole    statementKind = iota // by chdb_query_n: everything that does not stream
	stream                        // SELECT and WITH … SELECT
	stateful                      // changes its connection, which must not serve another statement
	refused                       // would take the engine down for everyone
)

// classify tells how sql is to be run.
func classify(sql string) statementKind {
	words := append(leading(sql, 2), "", "")
	switch words[0] {
	case "SELECT", "WITH":
		return stream
	case "SET", "USE", "BEGIN", "COMMIT", "ROLLBACK":
		return stateful
	case "CREATE":
		if words[1] == "TEMPORARY" {
			return stateful
		}
	case "SYSTEM":
		if words[1] == "SHUTDOWN" || words[1] == "KILL" {
			return refused
		}
	}
	return whole
}

var insertFormat = regexp.MustCompile(`(?is)^\s*INSERT\s+INTO\s.*\sFORMAT\s+(\w+)\s*;?\s*$`)

// splitInsert parts INSERT … FORMAT F, whose rows come in the request's body, into the statement and F.
func splitInsert(sql string) (statement, format string, ok bool) {
	m := insertFormat.FindStringSubmatchIndex(sql)
	if m == nil {
		return "", "", false
	}
	format = sql[m[2]:m[3]]
	before := strings.TrimRight(sql[:m[2]], " \t\r\n\v\f")
	return strings.TrimSpace(before[:len(before)-len("FORMAT")]), format, true
}
