package simulation

var (
	industries = []string{"retail", "software", "logistics", "health", "finance", "education"}
	employees  = []string{"1-9", "10-49", "50-249", "250+"}
	owners     = []string{"am-01", "am-02", "am-03", "am-04", "am-05", "am-06", "am-07", "am-08"}
)

func (w *World) profile(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forRecords, 0)
	if p.start >= w.until { // in a course: there are touchpoints of the lead, but no customer yet
		c.Profile = Profile{Known: Missing, CreatedAt: Missing, OptedOutAt: Missing}
		return
	}
	size := 0
	for _, seats := range []int{4, 15, 60} {
		if p.seats > seats {
			size++
		}
	}
	c.Profile = Profile{
		CreatedAt:  w.ms(p.start),
		LeadSource: leadSources[p.source].name,
		Region:     regions[p.region].name,
		Timezone:   regions[p.region].timezone,
		Plan:       plans[p.plan].name,
		Owner:      owners[r.IntN(len(owners))],
		Email:      r.Float64() < .92,
		Phone:      r.Float64() < .70,
		OptedOutAt: Missing,
		Employees:  employees[size],
		Industry:   industries[r.IntN(len(industries))],
		Known:      w.ms(p.start),
	}
	if p.segment >= 0 {
		c.Profile.Segment = segments[p.segment]
	}
	moment := 1 + r.Int64N(dayMs-1) // after midnight: a cutoff there does not know it yet
	if p.optedOut < w.until && p.optedOut < p.end {
		c.Profile.OptedOutAt = w.ms(p.optedOut) + moment
	}
}
