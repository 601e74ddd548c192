package reports

import (
	"bytes"
	"encoding/csv"
	"strconv"
)

// ReplicationsFile is written beside the others when there are replications.
const ReplicationsFile = "replications.csv"

// renderReplications writes a row for each replication: what kind it is, its
// seed, its headline figures, and its parameters where they were drawn. The order
// is that in which they ran. What is missing is an empty field.
func renderReplications(u *Uncertainty) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	head := []string{"kind", "replication", "seed"}
	for _, f := range u.Figures {
		head = append(head, f.Metric)
	}
	for _, p := range u.Assumptions.Parameters {
		head = append(head, p.Path)
	}
	w.Write(head)
	field := func(n Num) string {
		if !n.Known() {
			return ""
		}
		return string(n.append(nil))
	}
	for k := range int(max(u.Chance.Runs, u.Assumptions.Runs)) {
		if k < int(u.Chance.Runs) {
			row := []string{"chance", strconv.Itoa(k + 1), strconv.FormatUint(u.Chance.Seeds[k], 10)}
			for _, f := range u.Figures {
				row = append(row, field(f.Chance.Values[k]))
			}
			for _, p := range u.Assumptions.Parameters {
				row = append(row, field(p.Value))
			}
			w.Write(row)
		}
		if k < int(u.Assumptions.Runs) {
			row := []string{"assumptions", strconv.Itoa(k + 1), strconv.FormatUint(u.Assumptions.Seed, 10)}
			for _, f := range u.Figures {
				row = append(row, field(f.Assumptions.Values[k]))
			}
			for _, p := range u.Assumptions.Parameters {
				row = append(row, field(p.Samples[k]))
			}
			w.Write(row)
		}
	}
	w.Flush() // a buffer takes everything
	return b.Bytes()
}
