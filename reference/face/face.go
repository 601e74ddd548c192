// Package face decides whether a live capture shows the person of a template: a
// 1:1 comparison (ISO/IEC 19795-1:2021 §3, "verification") by the cosine of two
// 512-dimension vectors, as modern face recognition makes them, against a
// threshold.
//
// It sees two vectors and nothing of how they were made; it may not know the
// camera. The threshold comes from the scenario.
package face

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Dimensions is the length of a template.
const Dimensions = 512

// Template is a face on record or on a card: a direction, quantised to one byte
// a component. Only the direction counts, so no scale is kept.
type Template [Dimensions]int8

// Probe is a face as captured. Only its direction counts.
type Probe [Dimensions]float32

// Sizes of the encoded forms.
const (
	TemplateSize = Dimensions
	ProbeSize    = Dimensions * 4
)

// ErrMalformed marks bytes that are no template or probe.
var ErrMalformed = errors.New("the face data is malformed")

// Bytes encodes a template: its components in order, two's complement.
func (t Template) Bytes() []byte {
	out := make([]byte, TemplateSize)
	for i, v := range t {
		out[i] = byte(v)
	}
	return out
}

// ParseTemplate decodes a template: exactly TemplateSize bytes, not all zero.
func ParseTemplate(b []byte) (t Template, err error) {
	if len(b) != TemplateSize {
		return Template{}, fmt.Errorf("%w: a template has %d bytes, not %d", ErrMalformed, TemplateSize, len(b))
	}
	for i, v := range b {
		t[i] = int8(v)
	}
	if t == (Template{}) {
		return Template{}, fmt.Errorf("%w: the template is empty", ErrMalformed)
	}
	return t, nil
}

// Bytes encodes a probe: float32, little-endian, in order.
func (p Probe) Bytes() []byte {
	out := make([]byte, 0, ProbeSize)
	for _, v := range p {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// ParseProbe decodes a probe: exactly ProbeSize bytes, finite numbers of a
// magnitude under 1e6, not all zero.
func ParseProbe(b []byte) (p Probe, err error) {
	if len(b) != ProbeSize {
		return Probe{}, fmt.Errorf("%w: a probe has %d bytes, not %d", ErrMalformed, ProbeSize, len(b))
	}
	var norm float64
	for i := range p {
		v := math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		if !(math.Abs(float64(v)) < 1e6) {
			return Probe{}, fmt.Errorf("%w: component %d of the probe is not a usable number", ErrMalformed, i)
		}
		p[i] = v
		norm += float64(v) * float64(v)
	}
	if norm == 0 {
		return Probe{}, fmt.Errorf("%w: the probe is empty", ErrMalformed)
	}
	return p, nil
}

// Score is the cosine of the angle between template and probe, -1 to 1; 0 where
// either has no direction. The sums run in float64 in the order of the
// components, so that every machine finds the same score.
func Score(t Template, p Probe) float64 {
	var dot, tt, pp float64
	for i := range t {
		a, b := float64(t[i]), float64(p[i])
		// The explicit conversions keep a compiler from fusing multiply and add.
		dot += float64(a * b)
		tt += float64(a * a)
		pp += float64(b * b)
	}
	s := dot / math.Sqrt(tt*pp)
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return 0
	}
	return s
}

// Matcher decides at a threshold.
type Matcher struct{ Threshold float64 }

// Match compares a probe with a template: ok if the score reaches the threshold.
func (m Matcher) Match(t Template, p Probe) (score float64, ok bool) {
	score = Score(t, p)
	return score, score >= m.Threshold
}
