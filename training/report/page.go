package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed style.css
var styleText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Title, Sub string
	Status     toned
	Style      template.CSS
	Card       card
	Sections   []section
	Foot       string
}

// toned is text with the tone of its colour: good, fair, bad or none.
type toned struct{ Text, Tone string }

// card is the model card.
type card struct {
	Purpose string
	Short   []toned // the verdict in words
	Tiles   []fact
	Facts   []fact
	Why     []string
	Limits  []string
}

type fact struct {
	Name, Figure, Note string
	Code               bool // it is a word of machines
}

// section is one part of the report. A section with nothing to show says why.
type section struct {
	ID, Title, Short string
	Lead             string
	Empty            string
	Beside           bool // its first table stands beside its figure
	Figures          []drawn
	Tables           []table
	Notes            []string
}

// drawn is a plot with its title and how to read it.
type drawn struct {
	Title, Of string
	SVG       template.HTML
	Read      string
}

type table struct {
	Title  string
	Read   string
	Folded bool // behind its title
	Head   []heading
	Rows   []row
}

type heading struct {
	Text   string
	Number bool
}

type row struct {
	Chosen bool
	Cells  []cell
}

type cell struct {
	Text, Of string
	Number   bool
	Tone     string
	Meter    *meter
}

// meter is a small bar, or a dot with its interval; places are per cent of its width.
type meter struct {
	Words             string
	At                string
	Whisker           bool
	Zero, From, Until string
}

// Write writes the report as one HTML file. Whatever it holds besides is escaped.
func Write(w io.Writer, d *Document) error {
	p, err := newPage(d)
	if err != nil {
		return fmt.Errorf("report of %s v%d: %w", d.Model.Name, d.Model.Version, err)
	}
	return pageTemplate.Execute(w, p)
}

// newPage gathers what the page shows, in its order.
func newPage(d *Document) (*page, error) {
	p := &page{
		Title: fmt.Sprintf("%s v%d", d.Model.Name, d.Model.Version),
		Sub:   fmt.Sprintf("%s, trained on %s", familyWords(d.Model.Family), day(d.Model.Trained)),
		Style: template.CSS(styleText), //nolint:gosec // our own sheet
		Card:  newCard(d),
		Foot: fmt.Sprintf("Written by retain from the registry's record of %s v%d, artifact %s, seed %d. Intervals are 95 %% percentile intervals of a bootstrap by customer.",
			d.Model.Name, d.Model.Version, d.Model.Artifact, d.Seed),
	}
	switch {
	case d.Champion:
		p.Status = toned{"champion: it scores", "good"}
	case d.Training.Promoted:
		p.Status = toned{"was champion", ""}
	default:
		p.Status = toned{"registered, not promoted", "fair"}
	}
	for _, build := range []func(*Document) (section, error){
		rowsSection, foldsSection, familiesSection, reliabilitySection, gainsSection, profitSection, importanceSection, dependenceSection,
		segmentsSection, leaksSection, changeSection, featuresSection,
	} {
		s, err := build(d)
		if err != nil {
			return nil, err
		}
		p.Sections = append(p.Sections, s)
	}
	return p, nil
}

// familyNames tells the families in words.
var familyNames = map[string]string{
	"boost": "gradient boosted trees", "linear": "elastic-net logistic regression", "recency_rule": "the recency rule", "base_rate": "the base rate",
	"blend": "mean of boosted trees and logistic regression", "golearn_cart": "a decision tree", "golearn_forest": "a bagged forest",
	"golearn_bayes": "naive Bayes", "champion": "the champion's recipe, refitted",
}

func familyWords(name string) string {
	words, ok := familyNames[name]
	if !ok {
		return name
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// heads makes headings; a name with a # before it is of numbers.
func heads(names ...string) []heading {
	out := make([]heading, len(names))
	for k, name := range names {
		text, number := strings.CutPrefix(name, "#")
		out[k] = heading{text, number}
	}
	return out
}

// Layout is the class of the section's figures: one figure has what explains it beside it.
func (s section) Layout() string {
	switch {
	case len(s.Figures) == 1 && s.Beside:
		return "beside"
	case len(s.Figures) == 1:
		return "one"
	case len(s.Figures) == 2:
		return "two"
	default:
		return ""
	}
}

// BesideTable is the table that stands beside the figure.
func (s section) BesideTable() *table {
	if s.Layout() != "beside" || len(s.Tables) == 0 {
		return nil
	}
	return &s.Tables[0]
}

// Below are the tables under the figures.
func (s section) Below() []table {
	if s.BesideTable() != nil {
		return s.Tables[1:]
	}
	return s.Tables
}

// Pair tells that the table has a name and a short value a line, which stand beside each other on a phone, too.
func (t table) Pair() bool { return len(t.Head) == 2 && t.Head[1].Number }

// Across tells that the cell takes a line of its own on a phone.
func (c cell) Across() bool { return c.Meter != nil || !c.Number && len(c.Text) > 16 }

func number(text string) cell { return cell{Text: text, Number: true} }
