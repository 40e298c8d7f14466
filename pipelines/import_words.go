package pipelines

import (
	"bytes"
	"slices"
	"strings"

	"retain/internal/warehouse"
)

// word finds b in a closed vocabulary, whatever its case, and returns it as the vocabulary writes it, else b itself and the fault. Blanks around it do not matter, only blanks is missing.
func word(words []string, b []byte) ([]byte, string) {
	bare := bytes.TrimSpace(b)
	if len(bare) == 0 {
		return nil, ""
	}
	for _, w := range words {
		if strings.EqualFold(w, string(bare)) {
			return []byte(w), ""
		}
	}
	return b, "is none of " + strings.Join(words, ", ") + ": mend it, or name it as missing with --null"
}

// surveyColumns are the positions of what the rule on scores reads; -1 in other sources.
type surveyColumns struct{ kind, score int }

func newSurveyColumns(source warehouse.ImportSource) surveyColumns {
	kind := slices.IndexFunc(source.Columns, func(c warehouse.ImportColumn) bool { return c.Name == "kind" && c.Required })
	if kind < 0 {
		return surveyColumns{-1, -1}
	}
	return surveyColumns{kind, source.Column("score")}
}

// maxNPS is the greatest answer to "how likely is it that you would recommend us"; the smallest is 0 (Reichheld 2003).
const maxNPS = 10

// checkScore refuses answers that the scale of NPS does not have. CSAT and CES have no scale that all tools share.
func (c *importColumns) checkScore() *BadRowError {
	s := c.survey
	if s.kind < 0 || string(c.row.text[s.kind]) != "nps" {
		return nil
	}
	score, k := c.row.whole[s.score], c.source.Columns[s.score]
	if score == warehouse.ImportNull || score >= 0 && score <= maxNPS*int64(pow10[k.Scale]) {
		return nil
	}
	return &BadRowError{Column: c.name(c.origins[s.score], k.Name), Reason: "lies outside 0 to 10, the scale of NPS: mend it, or name it as missing with --null"}
}
