package reports

// Uncertainty is how far the headline figures move: by chance, and by what the
// scenario assumes. It is there when replications were asked for.
type Uncertainty struct {
	Asked       int64             `json:"asked" way:"input" unit:"replications" def:"replications of each kind that were asked for; fewer runs stand below when the work was interrupted"`
	Chance      ChanceRuns        `json:"chance"`
	Assumptions AssumptionRuns    `json:"assumptions"`
	Figures     []UncertainFigure `json:"figures"`
}

// ChanceRuns differ from the base run in their seeds alone.
type ChanceRuns struct {
	Runs   int64    `json:"runs" unit:"replications" def:"runs with seeds of their own and the scenario's parameters"`
	Seeds  []uint64 `json:"seeds" way:"input" unit:"1" def:"seed of each of these runs, derived from the scenario's, so that those of two scenarios are the same"`
	Inside Num      `json:"inside" unit:"share" def:"share of further such runs that is expected within a band: 0.9, and less below 19 runs"`
}

// AssumptionRuns differ from the base run in the parameters that are marked A;
// their seed is the base run's.
type AssumptionRuns struct {
	Runs       int64              `json:"runs" unit:"replications" def:"runs with the scenario's seed and parameters drawn within their plausible ranges"`
	Seed       uint64             `json:"seed" way:"input" unit:"1" def:"seed of the runs, and of the Latin hypercube by which the parameters are drawn"`
	Inside     Num                `json:"inside" unit:"share" def:"share of further such runs that is expected within a band: 0.9, and less below 19 runs"`
	ChanceOne  Num                `json:"chance_correlation_one" unit:"1" def:"absolute rank correlation that one parameter without any effect exceeds in one study of twenty; null below 4 runs"`
	ChanceAny  Num                `json:"chance_correlation_any" unit:"1" def:"absolute rank correlation that the largest of all, over every parameter and every figure that moves, exceeds in at most one study of twenty, had no parameter any effect; null below 4 runs"`
	Parameters []SampledParameter `json:"parameters" way:"input"`
	Held       []HeldParameter    `json:"held"`
}

// SampledParameter is an assumption that was varied: half of the samples below
// its value and half above, evenly on each side.
type SampledParameter struct {
	Path    string `json:"path"` // "adoption.level"
	Unit    string `json:"unit"` // "share", "1/year", "s", "KRW" or "1"
	Value   Num    `json:"value" unit:"of the parameter" def:"the scenario's value"`
	Low     Num    `json:"low" unit:"of the parameter" def:"lowest plausible value"`
	High    Num    `json:"high" unit:"of the parameter" def:"highest plausible value"`
	Samples []Num  `json:"samples" unit:"of the parameter" def:"value in each of the runs over the assumptions"`
}

// HeldParameter is one that is marked A and was not varied.
type HeldParameter struct {
	Path string `json:"path"`
	Why  string `json:"why"` // "changed by --set", "has no range"
}

// UncertainFigure is a headline figure with its bands, and what moves it.
type UncertainFigure struct {
	Metric      string  `json:"metric"` // "nation.issued.total": as in an expectation
	Unit        string  `json:"unit"`
	Definition  string  `json:"definition"`
	Value       Num     `json:"value" unit:"of the figure" def:"the figure of the base run; null: there is none, or it was never reached"`
	Chance      Band    `json:"chance"`
	Assumptions Band    `json:"assumptions"`
	Movers      []Mover `json:"movers"` // the five with the largest rank correlation, largest first
}

// Band is where a figure lies in replications.
type Band struct {
	P05    Num   `json:"p05" unit:"of the figure" def:"5 % quantile of the runs, at (n+1)·0.05 of the ordered values; null: there is none, or it was never reached"`
	P50    Num   `json:"p50" unit:"of the figure" def:"median of the runs; null: there is none, or it was never reached"`
	P95    Num   `json:"p95" unit:"of the figure" def:"95 % quantile of the runs, at (n+1)·0.95 of the ordered values; null: there is none, or it was never reached"`
	Never  int64 `json:"never" unit:"replications" def:"runs in which it was never reached; in the order of values they come last"`
	Values []Num `json:"values" unit:"of the figure" def:"the figure in each of the runs; null: there is none, or it was never reached"`
}

// Mover is an assumption that moves a figure.
type Mover struct {
	Path         string `json:"path"` // "adoption.level"
	Correlation  Num    `json:"rank_correlation" unit:"1" def:"Spearman's rank correlation of parameter and figure over the runs"`
	BeyondChance bool   `json:"beyond_chance"` // larger than chance_correlation_any
	LowHalf      Num    `json:"low_half" unit:"of the figure" def:"median of the figure over the runs with the lower half of the parameter's samples"`
	HighHalf     Num    `json:"high_half" unit:"of the figure" def:"median of the figure over the runs with the upper half of the parameter's samples"`
}
