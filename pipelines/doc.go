// Package pipelines holds the jobs: importing a file into a source, and scoring every customer. Each leaves what was in force before in
// force until it is done, and done twice it is done once.
package pipelines
