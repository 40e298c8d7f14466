// Package lead scores those who have not bought yet by what they did: points for interest, less for decline, fading with time. The
// measured conversion of each grade stands beside it, so that a wrong weighting shows.
package lead
