// Package pipelines holds the jobs: importing files into sources, taking a snapshot, training, scoring and deciding for every customer, and
// monitoring; the night that runs them with a ledger (Runner) on a schedule (Schedule); and what reads their outcome back for the terminal and
// the service (Scores, Decisions, Timeline). Each job leaves what was in force before in force until it is done, and done twice it is
// done once. The doctor, which looks at the sources and changes nothing, stands below it.
package pipelines
