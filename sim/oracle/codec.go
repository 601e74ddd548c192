package oracle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxHistory bounds the JSON form of a history.
const maxHistory = 1 << 30

// Encode writes the history as JSON, so that a finding can be judged again.
func (h *History) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(h)
}

// Decode reads what Encode wrote. Unknown members are errors.
func Decode(r io.Reader) (*History, error) {
	limited := &io.LimitedReader{R: r, N: maxHistory}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	h := new(History)
	if err := d.Decode(h); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("the history is longer than %d bytes", maxHistory)
		}
		return nil, fmt.Errorf("the history is not in the form this version writes: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the history")
	}
	return h, nil
}
