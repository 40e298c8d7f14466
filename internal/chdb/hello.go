package chdb

import "github.com/ClickHouse/ch-go/proto"

// helloQuery is clickhouse-go's first question, word for word. It decodes the answer at its own protocol revision and
// everything after it at the revision that the answer names; libchdb writes revision 0 only. So it is answered by hand,
// and names 0. TestHelloIsPinned fails when clickhouse-go asks otherwise.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// hello encodes the answer to helloQuery at the asker's revision.
func hello(version string, revision int) ([]byte, error) {
	column := func(name string, values proto.ColInput) proto.InputColumn {
		return proto.InputColumn{Name: name, Data: values}
	}
	text := func(s string) *proto.ColStr {
		c := new(proto.ColStr)
		c.Append(s)
		return c
	}
	zero := proto.ColUInt32{0}
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: 4, Rows: 1}
	var b proto.Buffer
	err := block.EncodeBlock(&b, revision, []proto.InputColumn{
		column("displayName()", text("chdb")),
		column("version()", text(version)),
		column("revision()", zero),
		column("timezone()", text("UTC")), // the zone of times without one: every session runs with session_timezone = UTC
	})
	return b.Buf, err
}
