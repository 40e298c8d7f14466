package features

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// InputDigest is a hash of all rows that can be known at a cutoff, source by source: see InputDigests.
func (s *Store) InputDigest(ctx context.Context, cutoff time.Time) (string, error) {
	all, err := s.InputDigests(ctx, []time.Time{cutoff})
	if err != nil {
		return "", err
	}
	return all[0], nil
}

// InputDigests are a hash for each cutoff of everything that a population or a snapshot at it may read: every version, of every source, with
// ingested_at before it. A digest changes when such a row comes, goes or is corrected, and not with the order of the rows; one that becomes
// known later changes the digests of later cutoffs only. All cutoffs take one pass over each source. An own feature table counts with all its columns.
func (s *Store) InputDigests(ctx context.Context, cutoffs []time.Time) ([]string, error) {
	edges := make([]int64, len(cutoffs))
	for i, t := range cutoffs {
		edges[i] = milliseconds(t)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	texts := make([]strings.Builder, len(edges))
	for _, name := range append(sourceNames(), OwnFeatures) {
		rows, err := s.stampedRows(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("digest of %s: %w", name, err)
		}
		if rows == "" {
			continue
		}
		sums, err := s.digestSums(ctx, rows, edges)
		if err != nil {
			return nil, fmt.Errorf("digest of %s: %w", name, err)
		}
		for i, d := range sums {
			fmt.Fprintf(&texts[i], "%s %d %d %d\n", name, d.n, d.sum, d.parity)
		}
	}
	out := make([]string, len(cutoffs))
	for i, t := range cutoffs {
		k, _ := slices.BinarySearch(edges, milliseconds(t))
		h := sha256.Sum256([]byte(texts[k].String()))
		out[i] = hex.EncodeToString(h[:])[:32]
	}
	return out, nil
}

// digest is of a set of row hashes; digests of disjoint sets add up.
type digest struct{ n, sum, parity uint64 }

// digestSums are the digests of the rows with stamp before each edge.
func (s *Store) digestSums(ctx context.Context, rows string, edges []int64) ([]digest, error) {
	// A row counts from the first edge behind its stamp on: its bin is the number of edges at or before the stamp.
	bounds := []string{"toInt64(-9000000000000000000)"}
	for _, e := range edges {
		bounds = append(bounds, fmt.Sprintf("toInt64(%d)", e))
	}
	query := "SELECT toInt64(roundDown(stamp, [" + strings.Join(bounds, ", ") + "])) AS edge, count() AS n, sum(hash) AS total, groupBitXor(hash) AS parity\nFROM " +
		rows + "\nWHERE stamp < " + fmt.Sprint(edges[len(edges)-1]) + "\nGROUP BY edge\nORDER BY edge"
	out := make([]digest, len(edges))
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		n, total, parity := b.UInt64s("n"), b.UInt64s("total"), b.UInt64s("parity")
		for i, edge := range b.Int64s("edge") {
			first, found := slices.BinarySearch(edges, edge)
			if found {
				first++
			}
			for k := first; k < len(out); k++ {
				out[k].n += n[i]
				out[k].sum += total[i]
				out[k].parity ^= parity[i]
			}
		}
	}
	return out, nil
}

// stampedRows is the FROM-expression (stamp, hash) of every version of a source whose order in the warehouse does not matter: stamp is its
// ingested_at in ms. Which of two versions with the same ingested_at came later does matter, so that the hash of one that may be corrected
// counts its place. "" is a source that is not there.
func (s *Store) stampedRows(ctx context.Context, name string) (string, error) {
	if name == OwnFeatures {
		return s.stampedOwnRows(ctx)
	}
	l, err := s.locate(ctx, name)
	if err != nil {
		return "", err
	}
	const stamp = "toUnixTimestamp64Milli(r.ingested_at) AS stamp"
	const content = "r.customer_id, r.event_hash, r.row_hash, r.ingested_at, r.ingested_mapped"
	const place = "row_number() OVER (PARTITION BY r.customer_id, r.event_hash, r.ingested_at ORDER BY r.imported_at, r.row_hash)"
	versions := func(table string) string {
		return "SELECT " + stamp + ", cityHash64(" + content + ", " + place + ") AS hash FROM " + table + " AS r"
	}
	table := tableSQL(l.source, l.bound)
	if name == Customers && l.bound.Table == "" {
		return "(" + versions(table) + ")", nil
	}
	plain := "SELECT " + stamp + ", cityHash64(" + content + ") AS hash FROM " + table + " AS r"
	if !l.corrected {
		return "(" + plain + ")", nil
	}
	return "(" + plain + " UNION ALL " + versions(quoteName(name+"_fixes")) + ")", nil
}

// stampedOwnRows are the rows of the own feature table, which are known from the later of their two clocks.
func (s *Store) stampedOwnRows(ctx context.Context) (string, error) {
	rows, err := s.OwnRows(ctx, endOfTime)
	if rows == "" || err != nil {
		return "", err
	}
	return "(SELECT toUnixTimestamp64Milli(greatest(r.at, r.ingested_at)) AS stamp, cityHash64(r.customer_id, r.at, r.ingested_at, r.row_hash) AS hash FROM " + rows + " AS r)", nil
}
