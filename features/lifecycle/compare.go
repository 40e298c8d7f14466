package lifecycle

// Comparison is what a new rule set would change, `retain lifecycle --rules FILE`.
type Comparison struct {
	Board *Board `json:"board"` // by the new set
	From  string `json:"from"`  // version in force
	To    string `json:"to"`    // version of the new set
	Moves []Move `json:"moves"` // at the board's cutoff: everyone, those who keep their stage included
	Moved int    `json:"moved"` // customers whose stage has another name
}

// Move is how many customers stand in one stage by the set in force and in another by the new one.
type Move struct {
	From      string   `json:"from"`
	To        string   `json:"to"`
	Customers int      `json:"customers"`
	Examples  []string `json:"examples"` // some of them, of those who would move
}
