// Package serving answers what the run in force says of each customer: the HTTP API (/v1), the web console (/), health and metrics.
//
// Scores and next best actions are answered from a snapshot in memory; their store is read only when a new run lands and, for keys and the name of the
// run in force, every two seconds. Timelines and trends of a customer are read when they are asked for. Nothing here opens a connection: RunReader,
// DecisionReader, KeyStore and History are declared here and implemented elsewhere.
//
// Three rules hold on every route. Access is decided by the literal table in routes.go, and a route that is missing there needs the
// scope admin. Every error is an RFC 9457 problem (a browser asking for a page gets a page). Logs and metrics name the route's
// template, never the path, the query or a body, so that no customer's id reaches them.
package serving
