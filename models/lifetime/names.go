package lifetime

// Spoken is the name of a model of counts or of spend as people read it; any other name is itself.
func Spoken(name string) string {
	switch name {
	case BGNBD:
		return "BG/NBD"
	case MBGNBD:
		return "MBG/NBD"
	case ShrunkenRates:
		return "shrunken rates"
	case GammaGamma:
		return "Gamma-Gamma"
	case ShrunkMean:
		return "shrunk mean"
	}
	return name
}
