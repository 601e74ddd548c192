package reports

import (
	"encoding/json"
	"fmt"
	"sort"
)

// Map is the drawing of the regions: SVG paths by ISO code.
type Map struct {
	Attribution string               `json:"attribution"`
	ViewBox     [4]float64           `json:"viewBox"`
	Regions     map[string]MapRegion `json:"regions"`
}

// MapRegion is the outline of one region.
type MapRegion struct {
	Name   string     `json:"name_en"`
	NameKo string     `json:"name_ko"`
	Label  [2]float64 `json:"label"` // where its name goes
	Path   string     `json:"d"`
}

// ParseMap reads a map (scenarios/data/map_sido.svgpaths.json).
func ParseMap(b []byte) (*Map, error) {
	m := new(Map)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("the map of the regions is not JSON: %w", err)
	}
	if len(m.Regions) == 0 || m.ViewBox[2] <= 0 || m.ViewBox[3] <= 0 {
		return nil, fmt.Errorf("the map of the regions has no regions or no viewBox")
	}
	for code, g := range m.Regions {
		for _, c := range g.Path {
			if !pathCharacter(c) {
				return nil, fmt.Errorf("the map of the regions: the path of %s holds %q, which is no part of an SVG path", code, c)
			}
		}
	}
	return m, nil
}

func pathCharacter(c rune) bool {
	switch {
	case c >= '0' && c <= '9', c == ' ', c == ',', c == '.', c == '-', c == '+', c == 'e':
		return true
	}
	for _, k := range "MmLlHhVvCcSsQqTtAaZz" {
		if c == k {
			return true
		}
	}
	return false
}

func (m *Map) codes() []string {
	out := make([]string, 0, len(m.Regions))
	for c := range m.Regions {
		out = append(out, c)
	}
	sort.Strings(out)
	return out
}
