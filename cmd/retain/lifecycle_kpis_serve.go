package main

import (
	"context"

	"retain/features/lifecycle/kpi"
	"retain/pipelines"
)

// kpiReader gives the service the key figures of the warehouse.
type kpiReader struct{ counter pipelines.KPIs }

func (r kpiReader) KPIs(ctx context.Context, o kpi.Options) (*kpi.Report, error) {
	return r.counter.Compute(ctx, o)
}
