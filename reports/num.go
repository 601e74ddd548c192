package reports

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// Num is a figure that may be missing: NaN is written as null. It is written
// without an exponent and with at most six decimals, so that the same value is
// always the same bytes.
type Num float64

// None is the missing figure.
func None() Num { return Num(math.NaN()) }

// Known says whether there is a figure.
func (n Num) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes the number, or null.
func (n Num) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return n.append(nil), nil
}

// UnmarshalJSON reads a number, or null.
func (n *Num) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*n = None()
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*n = Num(f)
	return nil
}

func (n Num) append(b []byte) []byte {
	r := math.Round(float64(n)*1e6) / 1e6
	if r == 0 || math.IsInf(r, 0) { // no minus zero; beyond 1e302 there is nothing to round
		r = float64(n)
		if math.Abs(r) < 1 {
			r = 0
		}
	}
	return strconv.AppendFloat(b, r, 'f', -1, 64)
}

// PropertyNames are the properties of suspension correctness and entitlement,
// in the order in which they are shown.
var PropertyNames = []string{
	"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12",
	"E1", "E2", "E3", "E4", "E5",
}

// Properties are the counts by property. Written in the order of PropertyNames.
type Properties map[string]Property

// MarshalJSON writes the known properties in their order; nil is null.
func (p Properties) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("null"), nil
	}
	b := []byte{'{'}
	for _, name := range PropertyNames {
		v, ok := p[name]
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, name), ':')
		enc, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		b = append(b, enc...)
	}
	return append(b, '}'), nil
}
