// Package kpi is the catalogue of key figures of the customer lifecycle, by calendar month (UTC) and by lifecycle stage, segment or lead
// source.
//
// Every figure is one statement over the sources as they are bound. What the figures of all months are counted from is what was known at one
// cutoff: rows with both clocks before it, each event in the version that held then, and columns that are filled in later only where their own
// instant lies before it. So a figure of an old month counts the rows that came late, and standing at an earlier cutoff gives what was known then.
// A month is [its 1st, the next one's 1st); only months that are over at the cutoff have figures.
//
// A figure that is not defined is null, never 0: nothing to divide by, or a month that the records do not reach. Sums are of whole numbers,
// so that they do not depend on the number of threads. Of a figure whose source is missing it is told why.
package kpi
