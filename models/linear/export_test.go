package linear

import "retain/models/internal/wire"

// Reseal frames bytes as the payload of a model.
func Reseal(payload []byte) []byte { return wire.Seal(magic, version, payload) }
