package boost

// wordHistogram is the sums of one leaf by code, of the 8 slots of a word. Its fixed shape lets a byte index it without a bounds
// check.
type wordHistogram [wordSlots][groupedBins]sums

// histogram is the sums of one leaf by code. Slot s is histogram[s/8][s%8].
type histogram []wordHistogram

func (h histogram) slot(s int) *[groupedBins]sums { return &h[s/wordSlots][s%wordSlots] }

// ahead is the number of rows whose bins are read before they are used.
const ahead = 64

// filling is what a histogram is filled with.
type filling bool

const (
	sumGradients filling = false
	countRows    filling = true
)

// clear empties the given words.
func (h histogram) clear(words []int) {
	for _, w := range words {
		clear(h[w][:])
	}
}

// fill sums by code the gradients of some rows, or counts the rows, in the given words of the histogram.
func (b *binned) fill(h histogram, words []int, rows []uint32, what filling) {
	h.clear(words)
	b.add(h, words, rows, what)
}

// add adds rows to what the given words of the histogram hold.
//
// Rows are taken some at a time and word by word. The rows of a deep leaf lie apart: reading them first lets their cache misses
// overlap, where among the additions each would wait for the stores before it. And the additions of one word meet only 16 kB: over
// all words at once, a slot of few codes meets the same cell again while the last store to it is still on its way to the cache, and
// the additions take 3 to 8 times as long.
func (b *binned) add(h histogram, words []int, rows []uint32, what filling) {
	var value [ahead]sums
	for i := range value {
		value[i] = 1
	}
	stride, width := b.stride, b.width
	var touched uint64
	for len(rows) > 0 {
		some := rows[:min(ahead, len(rows))]
		rows = rows[len(some):]
		if what == sumGradients {
			for i, r := range some {
				row := b.words[int(r)*stride:][:stride]
				touched += row[words[0]]
				value[i&(ahead-1)] = sums(row[width])
			}
		}
		values := value[:len(some)]
		for _, w := range words {
			h[w].add(b.words[w:], stride, some, values)
		}
	}
	keep(touched)
}

// add adds the value of each row to the cells of its codes; words[row·stride] are those of a row.
func (h *wordHistogram) add(words []uint64, stride int, rows []uint32, values []sums) {
	values = values[:len(rows)]
	for i, r := range rows {
		v, code := values[i], words[int(r)*stride]
		h[0][uint8(code)] += v
		h[1][uint8(code>>8)] += v
		h[2][uint8(code>>16)] += v
		h[3][uint8(code>>24)] += v
		h[4][uint8(code>>32)] += v
		h[5][uint8(code>>40)] += v
		h[6][uint8(code>>48)] += v
		h[7][uint8(code>>56)] += v
	}
}

// keep makes the compiler believe that v is needed.
//
//go:noinline
func keep(uint64) {}

// addAll adds the sums of another part of the same leaf's rows.
func addAll(to, from *[groupedBins]sums) {
	for k := range to {
		to[k] += from[k]
	}
}

// subtract takes the sums of one child from its parent's; the other child's are left.
func subtract(parent, child *[groupedBins]sums) {
	for k := range parent {
		parent[k] -= child[k]
	}
}

// pool keeps histograms for use again.
type pool struct {
	words int // of each histogram
	free  []histogram
	inUse int
}

func (p *pool) take() histogram {
	p.inUse++
	if k := len(p.free); k > 0 {
		h := p.free[k-1]
		p.free = p.free[:k-1]
		return h
	}
	return make(histogram, p.words)
}

func (p *pool) release(some ...histogram) {
	for _, h := range some {
		if h != nil {
			p.free = append(p.free, h)
			p.inUse--
		}
	}
}

// maxHistograms bounds the memory of the histograms that leaves keep, in bytes.
const maxHistograms = 1 << 30

// tight says that no more histograms should be kept.
func (p *pool) tight() bool {
	const word = wordSlots * groupedBins * 8
	return p.inUse*p.words*word > maxHistograms
}
