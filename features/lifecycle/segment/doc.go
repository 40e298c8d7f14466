// Package segment groups customers who are alike: declared segments are rules, found ones are k-means over what customers did, with as many
// groups as fit best, labels that stay from run to run, and words for what sets each apart.
package segment
