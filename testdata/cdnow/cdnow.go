// Package cdnow holds the bundled CDNOW purchases (see README.md for their provenance).
package cdnow

import _ "embed"

// PurchasesCSVGzip is 69,659 purchases of 23,570 customers, 1997-01-01 to 1998-06-30:
// gzip of CSV with the header customer_id,at,quantity,amount.
//
//go:embed purchases.csv.gz
var PurchasesCSVGzip []byte

// SampleCSVGzip is 6,919 purchases of 2,357 of these customers under other ids, the 1/10 sample of the papers on buy-till-you-die models, in the
// same form.
//
//go:embed sample.csv.gz
var SampleCSVGzip []byte
