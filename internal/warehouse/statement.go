package warehouse

import "github.com/ClickHouse/clickhouse-go/v2"

// LongStatement adds to settings, which it changes and returns, what a generated statement needs that names some thousand columns or counts: a megabyte and
// more. Unasked the engine takes a quarter of one, and 50,000 elements.
func LongStatement(settings clickhouse.Settings) clickhouse.Settings {
	const elements = 50_000_000
	settings["max_query_size"] = 64 << 20
	settings["max_ast_elements"] = elements
	settings["max_expanded_ast_elements"] = elements
	return settings
}
