package features

import (
	"fmt"
	"strings"
)

// tableSQL is the source's table under its canonical names: the canonical table itself, or a subquery over the own one, whose values become
// what an import of the same rows would hold.
func tableSQL(src source, b bound) string {
	if b.Table == "" {
		return quoteName(src.Name)
	}
	var exprs, given []string
	for _, c := range src.readable() {
		if c.Name == "ingested_at" {
			continue
		}
		exprs = append(exprs, b.expr(src, c)+" AS "+quoteName(c.Name))
		if own, ok := b.columns[c.Name]; ok && c.Name != "customer_id" {
			given = append(given, "ifNull(toString(o."+quoteName(own.name)+"), '')")
		}
	}
	const epoch = "toDateTime64(0, 3, 'UTC')"
	ingested, isMapped := "ifNull("+b.expr(src, sourceColumn{src.Time, instant, "Nullable(DateTime64(3, 'UTC'))"})+", "+epoch+")", "false"
	if b.has("ingested_at") {
		ingested, isMapped = b.expr(src, ingestedColumn), "true"
	}
	content := "cityHash64(" + strings.Join(given, ", ") + ")"
	if len(given) == 0 {
		content = "toUInt64(0)"
	}
	identity := content
	if b.identified(src) {
		var parts []string
		for _, c := range src.Identity {
			column, _ := src.column(c)
			parts = append(parts, "toString("+b.expr(src, column)+")")
		}
		identity = "cityHash64(" + strings.Join(parts, ", ") + ")"
	}
	exprs = append(exprs, ingested+" AS ingested_at", isMapped+" AS ingested_mapped", ingested+" AS imported_at",
		identity+" AS event_hash", content+" AS row_hash", "rowNumberInAllBlocks() AS row_number")
	return "(SELECT " + strings.Join(exprs, ", ") + " FROM " + QuoteTable(b.Table) + " AS o WHERE " + b.complete(src) + ")"
}

// complete is the condition that a row, named o, serves: as on import, it needs a customer_id and its time. A given ingested_at that is missing would let
// the row be known since ever.
func (b bound) complete(src source) string {
	where := []string{b.expr(src, customerColumn) + " != ''"}
	for _, clock := range []string{src.Time, "ingested_at"} {
		if b.columns[clock].nullable() && (clock == "ingested_at" || src.Name != Customers) {
			where = append(where, "isNotNull("+b.instantExpr(src, clock)+")")
		}
	}
	return strings.Join(where, " AND ")
}

// identified tells whether the own table names its events.
func (b bound) identified(src source) bool {
	return len(src.Identity) > 0 && b.has(src.Identity[0])
}

// expr is a canonical column of the type that the canonical table has, over a row named o.
func (b bound) expr(src source, c sourceColumn) string {
	own, ok := b.columns[c.Name]
	if !ok {
		switch {
		case strings.HasPrefix(c.SQL, "Nullable"):
			return "CAST(NULL, " + QuoteText(c.SQL) + ")"
		case strings.HasPrefix(c.SQL, "Map"):
			return "CAST(map(), " + QuoteText(c.SQL) + ")"
		}
		return "''"
	}
	o := "o." + quoteName(own.name)
	switch c.Type {
	case text:
		if own.typ == "String" && !closedWords[src.Name+"."+c.Name] {
			return o // as it stands, so that conditions reach the keys of the table
		}
		e := "ifNull(toString(" + o + "), '')"
		if closedWords[src.Name+"."+c.Name] {
			return "lower(trimBoth(" + e + "))"
		}
		return e
	case instant:
		if strings.HasPrefix(c.SQL, "Nullable") {
			return "CAST(" + b.instantExpr(src, c.Name) + ", " + QuoteText(c.SQL) + ")"
		}
		if !own.nullable() {
			return b.instantExpr(src, c.Name)
		}
		return "assumeNotNull(" + b.instantExpr(src, c.Name) + ")"
	case fixedPoint, whole:
		return b.numberExpr(src, c, o, own.typ)
	}
	return "CAST(" + o + ", " + QuoteText(c.SQL) + ")"
}

// numberExpr is an own number. The value below a NULL is replaced before any cast, since casts look at it.
func (b bound) numberExpr(src source, c sourceColumn, o, typ string) string {
	bare, name := bareType(typ)
	float := ofKind(name, "Float*", "BFloat16")
	present := "isNotNull(" + o + ")"
	if float {
		present = "ifNull(isFinite(" + o + "), false)" // what is no number is missing
	}
	held := "if(" + present + ", ifNull(" + o + ", 0), 0)"
	plain := strings.TrimSuffix(strings.TrimPrefix(c.SQL, "Nullable("), ")")
	var value string
	switch {
	case c.Type == whole:
		value = "accurateCastOrNull(" + held + ", " + QuoteText(plain) + ")" // a plain cast would wrap around
		value = "if(" + b.throw(src, c.Name, "isNull("+value+")", "numbers that are not whole, or below 0, or beyond "+plain) + ", NULL, " + value + ")"
	case float:
		// A cast would cut: 1.005 is 1.00499… as a float.
		scale := decimalScale(plain)
		most := fmt.Sprintf("1e%d", 18-scale)
		value = fmt.Sprintf("if(%s, NULL, reinterpret(toInt64(round(toFloat64(%s) * 1e%[3]d)), 'Decimal(18, %[3]d)'))",
			b.throw(src, c.Name, "abs("+held+") >= "+most, "numbers beyond "+most), held, scale)
	default:
		rounded := held
		if strings.HasPrefix(bare, "Decimal") {
			rounded = fmt.Sprintf("round(%s, %d)", held, decimalScale(plain))
		}
		value = "CAST(" + rounded + ", " + QuoteText(plain) + ")"
		if digits := 18 - decimalScale(plain); wholeDigits(bare, name) > digits {
			value = "accurateCastOrNull(" + rounded + ", " + QuoteText(plain) + ")" // the bare cast fails without naming the column
			value = "if(" + b.throw(src, c.Name, "isNull("+value+")", fmt.Sprintf("numbers beyond 1e%d", digits)) + ", NULL, " + value + ")"
		}
	}
	return "if(" + present + ", " + value + ", NULL)"
}

// wholeDigits are the digits that an integer or decimal type may hold before the point; 10 stands for all integers of 32 bits and fewer.
func wholeDigits(bare, name string) int {
	var precision, scale int
	if n, _ := fmt.Sscanf(bare, "Decimal(%d, %d)", &precision, &scale); n == 2 {
		return precision - scale
	}
	if ofKind(name, "Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32") {
		return 10
	}
	return 78 // of UInt256
}

// decimalScale is s of Decimal(18, s).
func decimalScale(typ string) int {
	var scale int
	_, _ = fmt.Sscanf(typ, "Decimal(18, %d)", &scale) // the types stand in source.go
	return scale
}

// closedWords are the columns with a closed vocabulary, which the importer writes in small letters.
var closedWords = map[string]bool{"surveys.kind": true, "contacts.class": true}

// instantExpr is an own column as a nullable DateTime64(3, 'UTC'), later digits cut off.
func (b bound) instantExpr(src source, canonical string) string {
	own, ok := b.columns[canonical]
	if !ok {
		return "NULL"
	}
	o := "o." + quoteName(own.name)
	if own.typ == "DateTime64(3, 'UTC')" {
		return o
	}
	if _, name := bareType(own.typ); name != "String" {
		return "toDateTime64(" + o + ", 3, 'UTC')"
	}
	t := "ifNull(toString(" + o + "), '')"
	parsed := "parseDateTime64BestEffortOrNull(" + t + ", 3, 'UTC')" // the form without OrNull fails on what lies below a NULL
	bad := t + " != '' AND (NOT match(" + t + ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]|$)') OR isNull(" + parsed + "))"
	return "if(" + b.throw(src, canonical, bad, "texts that are no times such as 2024-05-31 23:59:59") + ", NULL, " + parsed + ")"
}

// throwMend ends what throw says.
const throwMend = ": give a view that makes them fit"

// throw is false, or ends the statement with an error that names the mapping if the condition holds for a row.
func (b bound) throw(src source, canonical, condition, what string) string {
	message := fmt.Sprintf("sources.%s.columns.%s: %s.%s holds %s", src.Name, canonical, b.Table, b.columns[canonical].name, what) + throwMend
	return "throwIf(" + condition + ", " + QuoteText(message) + ")"
}

// repeats tells whether several rows of one load may share an identity (contract.md §1): the lines of an order without a product.
func (s source) repeats() bool { return s.Name == Purchases }
