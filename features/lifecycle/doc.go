// Package lifecycle tells where customers stand on their way from the first visit to advocacy. A rule set names the stages and says by rules
// over features who is in which; it is versioned by what it computes. Paths of customers through the stages give transitions, times in
// a stage and what is lost on the way.
package lifecycle
