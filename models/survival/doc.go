// Package survival tells when customers leave: how many are left by tenure, whether groups differ, and for one customer how likely it is
// to be there after so many days.
//
// By tenure there is Kaplan & Meier's estimate (1958, J. Am. Stat. Assoc. 53) with left truncation: a customer who was there before
// the records begin counts from the tenure it had then, since those who left earlier are not in the records at all.
//
// For one customer at a cutoff there are hazards over periods of 30 days, h_j = P(leaves in period j | was there at its begin), of a life
// table or of a model with features frozen at the cutoff (landmarking: van Houwelingen 2007, Scand. J. Stat. 34; discrete time: Singer &
// Willett 1993, J. Educ. Stat. 18). S = ∏(1 - h_j) gives the shape; its level at the horizon is that of the calibrated churn
// probability (see Survivor).
//
// Times are in days throughout.
package survival
