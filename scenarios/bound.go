package scenarios

// Bound is an expectation's comparison as a limit of one figure.
type Bound struct {
	Figure string  // as written: "centre.wait_p95"
	Op     string  // with the figure on its left
	Value  float64 // seconds, a fraction, or the number itself
	Limit  string  // as written: "30m"
	Time   bool    // the limit is a duration
	At     int     // where the figure stands in the text
}

// Bounds takes an expectation as limits, each of one figure by a number. Another
// comparison is an error of type Misplaced.
func (e Expectation) Bounds() ([]Bound, error) {
	var out []Bound
	for _, c := range e.terms {
		figure, limit, op := c.left, c.right, c.op
		if figure.path == nil {
			figure, limit = limit, figure
			op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}[op]
		}
		value, isNumber := limit.constant.(float64)
		if limit.path != nil || !isNumber {
			return nil, &Misplaced{limit.at, limit.written + " is no number; a limit is one, such as 30m or 5%"}
		}
		out = append(out, Bound{figure.written, op, value, limit.written, limit.seconds, figure.at})
	}
	return out, nil
}
