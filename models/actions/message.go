package actions

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"retain/models"
)

// placeholder of a message:
//
//	{customer_id} {stage} {band}
//	{churn_probability}  "62 %"
//	{horizon_days}       of the probability
//	{value}              what the customer is worth, in whole units of the currency
//	{reason}             the main reason that raises the risk, in words (models.MainReason)
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

var placeholders = map[string]func(*models.Score) string{
	"{customer_id}": func(s *models.Score) string { return s.CustomerID },
	"{stage}":       func(s *models.Score) string { return orUnknown(s.Stage) },
	"{band}":        func(s *models.Score) string { return orUnknown(s.Band) },
	"{churn_probability}": func(s *models.Score) string {
		if s.ChurnProbability == nil {
			return unknownWord
		}
		return strconv.FormatFloat(math.Round(100**s.ChurnProbability), 'f', 0, 64) + " %"
	},
	"{horizon_days}": func(s *models.Score) string { return strconv.Itoa(s.HorizonDays) },
	"{value}": func(s *models.Score) string {
		if s.ExpectedValue == nil {
			return unknownWord
		}
		return strconv.FormatFloat(math.Round(*s.ExpectedValue), 'f', 0, 64)
	},
	"{reason}": func(s *models.Score) string {
		if r := models.MainReason(s.Reasons); r != nil && r.Contribution > 0 {
			return r.Text
		}
		return "nothing in particular stands out"
	},
}

// unknownWord stands for what is not known of the customer.
const unknownWord = "unknown"

func orUnknown(text *string) string {
	if text == nil {
		return unknownWord
	}
	return *text
}

// checkMessage finds a placeholder that Render does not know.
func checkMessage(text string) (fault string) {
	for _, mark := range placeholder.FindAllString(text, -1) {
		if _, ok := placeholders[mark]; !ok {
			return fmt.Sprintf("unknown placeholder %s; there are %s", mark, strings.Join(sortedKeys(placeholders), ", "))
		}
	}
	return ""
}

// Render is the message of the customer's stage, else the default one, with the words of the score in its placeholders.
func (m Messages) Render(s *models.Score) string {
	text := m[defaultMessage]
	if s.Stage != nil && m[*s.Stage] != "" {
		text = m[*s.Stage]
	}
	return placeholder.ReplaceAllStringFunc(text, func(mark string) string {
		if say, ok := placeholders[mark]; ok {
			return say(s)
		}
		return mark
	})
}
