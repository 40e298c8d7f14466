package chdb

import (
	"slices"
	"strings"
	"testing"
)

func TestStatements(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		want      []string
	}{
		{"none", "", nil},
		{"blank and comments", " \n-- a; b\n/* ; */ # c;\n;;", nil},
		{"one without an end", "SELECT 1", []string{"SELECT 1"}},
		{"two", "SELECT 1; SELECT 2;", []string{"SELECT 1", "SELECT 2"}},
		{"in a string", `SELECT ';', 'it''s;', 'a\';b'; SELECT 2`, []string{`SELECT ';', 'it''s;', 'a\';b'`, "SELECT 2"}},
		{"in names", "SELECT `a;b`, \"c;d\"", []string{"SELECT `a;b`, \"c;d\""}},
		{"in comments", "SELECT 1 -- one; more\n; /* two; */ SELECT 2", []string{"SELECT 1 -- one; more", "/* two; */ SELECT 2"}},
		{"a quote in a comment", "SELECT 1 -- it's\n; SELECT 2", []string{"SELECT 1 -- it's", "SELECT 2"}},
		{"a comment in a string", "SELECT '--'; SELECT '/*'", []string{"SELECT '--'", "SELECT '/*'"}},
		{"heredoc", "SELECT $a$;'$a$; SELECT 2", []string{"SELECT $a$;'$a$", "SELECT 2"}},
		{"a string without an end", "SELECT 'a; b", []string{"SELECT 'a; b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Statements(c.sql); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want statementKind
	}{
		{"SELECT 1", stream},
		{" (select 1) UNION ALL (SELECT 2)", stream},
		{"/* a */ -- b\nSELECT 1", stream},
		{"WITH 1 AS x SELECT x", stream},
		{"SHOW TABLES", whole},
		{"EXPLAIN SELECT 1", whole},
		{"INSERT INTO t SELECT 1", whole},
		{"CREATE TABLE t (x UInt8) ENGINE = Memory", whole},
		{"SET max_threads = 1", stateful},
		{"use system", stateful},
		{"CREATE /**/ TEMPORARY TABLE t (x UInt8)", stateful},
		{"SYSTEM FLUSH LOGS", whole},
		{"SYSTEM SHUTDOWN", refused},
		{"system -- x\n kill", refused},
		{"SYSTEM/**/SHUTDOWN", refused},
		{"", whole},
		{"'", whole},
	} {
		if got := classify(c.sql); got != c.want {
			t.Errorf("%q is of kind %d, want %d", c.sql, got, c.want)
		}
	}
}

func TestSplitInsert(t *testing.T) {
	for _, c := range []struct {
		sql, statement, format string
		ok                     bool
	}{
		{"INSERT INTO t FORMAT Native", "INSERT INTO t", "Native", true},
		{"insert into `format x` (a, b)\n format CSV ; ", "insert into `format x` (a, b)", "CSV", true},
		{"INSERT INTO t SETTINGS async_insert=0 FORMAT Native", "INSERT INTO t SETTINGS async_insert=0", "Native", true},
		{"INSERT INTO t VALUES ('FORMAT Native')", "", "", false},
		{"INSERT INTO t FORMAT JSONEachRow {\"x\":1}", "", "", false},
		{"SELECT 1 FORMAT Native", "", "", false},
	} {
		statement, format, ok := splitInsert(c.sql)
		if statement != c.statement || format != c.format || ok != c.ok {
			t.Errorf("%q: %q, %q, %v", c.sql, statement, format, ok)
		}
	}
}

func FuzzStatements(f *testing.F) {
	f.Add("SELECT 1; SELECT '--;' /* ; */")
	f.Add("$$;$$ `\\")
	f.Fuzz(func(t *testing.T, sql string) {
		for _, s := range Statements(sql) {
			if !strings.Contains(sql, s) || s == "" {
				t.Fatalf("%q is not in %q", s, sql)
			}
			if again := Statements(s); len(again) != 1 || again[0] != s {
				t.Fatalf("%q splits again: %q", s, again)
			}
		}
		classify(sql)
		splitInsert(sql)
	})
}
