package pipelines

import "retain/internal/warehouse"

// importBytes of text end a batch before importRows do.
const importBytes = 32 << 20

// importBuffer gathers rows in columns. The texts of a batch lie in one piece of memory, so that a row costs no allocation.
type importBuffer struct {
	batch warehouse.ImportBatch
	texts []int  // positions of the text columns
	arena []byte // the values of the text columns, row by row
	ends  []int  // where each of them ends in arena
	taken bool   // the batch was handed over: the next row begins a new one
}

func newImportBuffer(source warehouse.ImportSource) *importBuffer {
	n := len(source.Columns)
	b := &importBuffer{batch: warehouse.ImportBatch{Texts: make([][]string, n), Whole: make([][]int64, n)}}
	for i, c := range source.Columns {
		if c.Kind.Textual() {
			b.texts = append(b.texts, i)
		} else {
			b.batch.Whole[i] = make([]int64, 0, importRows)
		}
	}
	return b
}

// add appends a row, which may be reused, and reports whether the batch is full.
func (b *importBuffer) add(v *importRow) bool {
	if b.taken {
		b.reset()
	}
	for i, w := range b.batch.Whole {
		if w != nil {
			b.batch.Whole[i] = append(w, v.whole[i])
		}
	}
	for _, i := range b.texts {
		b.arena = append(b.arena, v.text[i]...)
		b.ends = append(b.ends, len(b.arena))
	}
	b.batch.IngestedAt = append(b.batch.IngestedAt, v.ingested)
	b.batch.IngestedMapped = append(b.batch.IngestedMapped, v.mapped)
	b.batch.Rows++
	return b.batch.Rows == importRows || len(b.arena) >= importBytes
}

// take returns what has gathered since the last take, valid until the next add.
func (b *importBuffer) take() *warehouse.ImportBatch {
	if b.taken {
		b.reset()
	}
	all, from := string(b.arena), 0
	for n, end := range b.ends {
		i := b.texts[n%len(b.texts)]
		b.batch.Texts[i] = append(b.batch.Texts[i], all[from:end])
		from = end
	}
	b.taken = true
	return &b.batch
}

func (b *importBuffer) reset() {
	for i, w := range b.batch.Whole {
		if w != nil {
			b.batch.Whole[i] = w[:0]
		}
	}
	for _, i := range b.texts {
		b.batch.Texts[i] = b.batch.Texts[i][:0]
	}
	b.arena, b.ends = b.arena[:0], b.ends[:0]
	b.batch.Rows, b.batch.IngestedAt, b.batch.IngestedMapped = 0, b.batch.IngestedAt[:0], b.batch.IngestedMapped[:0]
	b.taken = false
}
