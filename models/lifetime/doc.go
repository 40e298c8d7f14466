// Package lifetime holds the buy-till-you-die models of customers without a contract: how often they will buy again, whether they
// are still there, and what they will spend.
//
// A customer's history is x, the number of days with a purchase after the first such day; t_x, the time from that first day to
// the last one with a purchase; and T, the time from the first day to the end of the observation. Times are in any one unit.
// Three models are fitted by maximum likelihood:
//
//   - BG/NBD for the number of purchases. Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
//   - MBG/NBD for the probability of being alive, which BG/NBD says is 1 for everyone who bought once only. Batislam, Denizel &
//     Filiztekin (2007), Empirical validation and comparison of models for customer base analysis, Int. J. of Research in Marketing 24(3).
//   - Gamma-Gamma for the spend on a day with a purchase. Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value.
//
// Where a fit does not converge, a fallback that says its name takes its place (see Trainer).
package lifetime
