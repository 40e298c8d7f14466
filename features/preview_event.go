package features

import (
	"context"
	"fmt"
	"strings"
)

// usualValues is how many values of a column are named where the one that was asked for never came.
const usualValues = 8

// warnOfSilentEvent says it where no row ever was the leaving event, nor the start, and names what the column holds: most likely a slip of the pen.
func (s *Store) warnOfSilentEvent(ctx context.Context, p *Preview, c ChurnSpec) error {
	if c.Setting != EventSetting || c.Event == nil {
		return nil
	}
	events := []EventMatch{{Source: c.Event.Source, Match: c.Event.Match}}
	if c.Event.Start != nil {
		events = append(events, *c.Event.Start)
	}
	for k, e := range events {
		key := []string{"churn.event", "churn.event.start"}[k]
		for _, column := range sortedKeys(e.Match) {
			counts, err := s.valueCounts(ctx, e.Source, column, e.Match[column])
			if err != nil {
				return err
			}
			if !counts.there {
				p.Warnings = append(p.Warnings, fmt.Sprintf("%s: no row of %s has %s = %s, which is compared byte for byte; %s", key, e.Source, column, e.Match[column], counts.told(column)))
			}
		}
	}
	return nil
}

// valueCounts is whether a value of a text column occurs, and the most frequent ones.
type valueCounts struct {
	there bool
	usual []string
}

func (v valueCounts) told(column string) string {
	if len(v.usual) == 0 {
		return column + " is empty in every row"
	}
	return "the most frequent values are " + strings.Join(v.usual, ", ")
}

func (s *Store) valueCounts(ctx context.Context, source, column, value string) (counts valueCounts, err error) {
	rows, err := s.Versions(ctx, source, []string{column}, endOfTime)
	if err != nil {
		return counts, err
	}
	query := fmt.Sprintf("SELECT CAST(%[1]s, 'String') AS level, toUInt8(level = %[2]s) AS asked\nFROM %[3]s\nWHERE %[1]s != ''\nGROUP BY level\nORDER BY asked DESC, count() DESC, level\nLIMIT %[4]d",
		quoteName(column), QuoteText(value), rows, usualValues)
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return counts, err
		}
		asked := b.UInt8s("asked")
		for i, level := range b.Strings("level") {
			counts.there = counts.there || asked[i] == 1
			counts.usual = append(counts.usual, level)
		}
	}
	return counts, nil
}
