package features

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
)

// How much of the matrix the writer holds at once.
const (
	exportGroup = 65_536 // rows of a row group: 35 MB at 130 features
	exportBatch = 4096   // values handed over at once
)

// Keys of the metadata of an exported Parquet file.
const (
	MetaCutoff      = "retain.cutoff"            // RFC 3339
	MetaFingerprint = "retain.fingerprint"       // Schema.Fingerprint
	MetaCatalogue   = "retain.catalogue_version" // Catalogue.Version
)

// WriteParquet writes the snapshot: customer_id (STRING), every feature in order (FLOAT, categories as dictionary-encoded STRING, null =
// missing) and, when labels is not nil, label (INT8: 1, 0, null = missing). labels is aligned with s.Customer. The metadata name the cutoff,
// the fingerprint of the schema and the version of the catalogue. Same snapshot, same bytes.
func (s *Snapshot) WriteParquet(w io.Writer, labels []float64) error {
	if labels != nil && len(labels) != len(s.Customer) {
		return fmt.Errorf("features: %d labels for %d customers", len(labels), len(s.Customer))
	}
	columns := []exportColumn{{node: parquet.String(), name: "customer_id", value: func(i int) parquet.Value { return textValue(s.Customer[i]) }}}
	for j, c := range s.X.Schema {
		columns = append(columns, featureColumn(c, s.X.X[j]))
	}
	if labels != nil {
		columns = append(columns, exportColumn{node: parquet.Optional(parquet.Int(8)), name: "label", value: func(i int) parquet.Value {
			if labels[i] != labels[i] {
				return parquet.Value{}
			}
			return parquet.Int32Value(int32(labels[i]))
		}})
	}
	group := exportSchema{Group: parquet.Group{}}
	for _, c := range columns {
		if _, ok := group.Group[c.name]; ok {
			return fmt.Errorf("features: two columns are called %s", c.name)
		}
		group.Group[c.name] = c.node
		group.fields = append(group.fields, exportField{c.node, c.name})
	}
	out := parquet.NewWriter(w, parquet.NewSchema("features", group), parquet.Compression(&parquet.Snappy), parquet.DataPageVersion(1),
		parquet.CreatedBy("retain", "", ""),
		parquet.KeyValueMetadata(MetaCutoff, s.Cutoff.UTC().Format(time.RFC3339Nano)),
		parquet.KeyValueMetadata(MetaFingerprint, s.X.Schema.Fingerprint()),
		parquet.KeyValueMetadata(MetaCatalogue, strconv.Itoa(catalogueVersion)))
	values := make([]parquet.Value, 0, exportBatch)
	for lo := 0; lo < len(s.Customer); lo += exportGroup {
		hi := min(lo+exportGroup, len(s.Customer))
		for j, c := range columns {
			present := 0
			if c.node.Optional() {
				present = 1
			}
			for from := lo; from < hi; from += exportBatch {
				values = values[:0]
				for i := from; i < min(from+exportBatch, hi); i++ {
					v := c.value(i)
					if v.IsNull() {
						v = v.Level(0, 0, j)
					} else {
						v = v.Level(0, present, j)
					}
					values = append(values, v)
				}
				if _, err := out.ColumnWriters()[j].WriteRowValues(values); err != nil {
					return fmt.Errorf("column %s: %w", c.name, err)
				}
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return out.Close()
}

// exportColumn is one column of the file; a null value is missing.
type exportColumn struct {
	node  parquet.Node
	name  string
	value func(row int) parquet.Value
}

func featureColumn(c Column, x []float32) exportColumn {
	if c.Kind == Categorical {
		levels := make([]parquet.Value, len(c.Levels))
		for k, l := range c.Levels {
			levels[k] = textValue(l)
		}
		return exportColumn{parquet.Optional(parquet.Encoded(parquet.String(), &parquet.RLEDictionary)), c.Name, func(i int) parquet.Value {
			if x[i] != x[i] {
				return parquet.Value{}
			}
			return levels[int(x[i])]
		}}
	}
	return exportColumn{parquet.Optional(parquet.Leaf(parquet.FloatType)), c.Name, func(i int) parquet.Value {
		if x[i] != x[i] {
			return parquet.Value{}
		}
		return parquet.FloatValue(x[i])
	}}
}

func textValue(s string) parquet.Value { return parquet.ByteArrayValue([]byte(s)) }

// exportSchema is a group whose fields keep their order; parquet.Group sorts them by name.
type exportSchema struct {
	parquet.Group
	fields []parquet.Field
}

func (g exportSchema) Fields() []parquet.Field { return g.fields }

type exportField struct {
	parquet.Node
	name string
}

func (f exportField) Name() string { return f.name }

// Value serves rows that are Go maps; this writer is given columns.
func (f exportField) Value(base reflect.Value) reflect.Value {
	return base.MapIndex(reflect.ValueOf(f.name))
}
