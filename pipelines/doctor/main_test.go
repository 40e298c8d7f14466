package doctor

import (
	"testing"

	"retain/internal/warehouse/warehousetest"
)

// The engine is closed before the process ends; a process that exits under it can crash.
func TestMain(m *testing.M) { warehousetest.Main(m) }
