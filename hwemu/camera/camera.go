package camera

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
)

const dimensions = 512 // of a template, as recognisers write it

// Template is a face on record: a direction, quantised to a byte a component.
type Template = [dimensions]int8

// Probe is a face as captured.
type Probe = [dimensions]float32

// Model makes people's faces.
type Model struct {
	// Dimension is the effective dimension of identities, 3 to 512.
	Dimension int
}

// Identity is what stays the same in all pictures of a person.
type Identity struct{ direction []float64 }

// Identity draws a person's face.
func (m Model) Identity(random io.Reader) Identity {
	if m.Dimension < 3 || m.Dimension > dimensions {
		panic(fmt.Sprintf("camera: effective dimension %d is not between 3 and %d", m.Dimension, dimensions))
	}
	v := normals(random, m.Dimension)
	normalise(v)
	return Identity{v}
}

// Enrol takes a photo for the record at quality ρ (0 to 1) and quantises it.
func (i Identity) Enrol(quality float64, random io.Reader) Template {
	noise := normals(random, len(i.direction))
	return quantise(embed(i.capture(quality, noise)))
}

// Capture takes one picture at quality ρ (0 to 1).
func (i Identity) Capture(quality float64, random io.Reader) Probe {
	noise := normals(random, len(i.direction))
	return narrow(embed(i.capture(quality, noise)))
}

// Session is a person in front of a phone: light and pose stay much the same
// from one try to the next.
type Session struct {
	identity       Identity
	quality, fresh float64
	common         []float64
}

// Session begins a session at quality ρ, of whose noise the share fresh (0 to 1)
// is new in each capture.
func (i Identity) Session(quality, fresh float64, random io.Reader) *Session {
	return &Session{i, quality, fresh, normals(random, len(i.direction))}
}

// Capture takes the session's next picture.
func (s *Session) Capture(random io.Reader) Probe {
	noise := normals(random, len(s.common))
	keep, take := math.Sqrt(1-s.fresh), math.Sqrt(s.fresh)
	for k := range noise {
		noise[k] = keep*s.common[k] + take*noise[k]
	}
	return narrow(embed(s.identity.capture(s.quality, noise)))
}

// CaptureWithScore builds a capture whose cosine with the template is score,
// exact to 1e-6: s·t + √(1−s²)·u, with t the template's direction and u a random
// one across it.
func CaptureWithScore(t Template, score float64, random io.Reader) Probe {
	if !(score >= -1 && score <= 1) {
		panic(fmt.Sprintf("camera: no capture has the score %v", score))
	}
	along := make([]float64, dimensions)
	for k, v := range t {
		along[k] = float64(v)
	}
	normalise(along)
	across := normals(random, dimensions)
	// Twice, for what the first subtraction leaves by rounding.
	for range 2 {
		var dot float64
		for k := range across {
			dot += across[k] * along[k]
		}
		for k := range across {
			across[k] -= dot * along[k]
		}
	}
	normalise(across)
	rest := math.Sqrt(1 - score*score)
	for k := range along {
		along[k] = score*along[k] + rest*across[k]
	}
	return narrow(along)
}

// capture is the model's formula; it normalises and overwrites noise.
func (i Identity) capture(quality float64, noise []float64) []float64 {
	if !(quality >= 0 && quality <= 1) {
		panic(fmt.Sprintf("camera: quality %v is not between 0 and 1", quality))
	}
	normalise(noise)
	signal, rest := math.Sqrt(quality), math.Sqrt(1-quality)
	for k := range noise {
		noise[k] = signal*i.direction[k] + rest*noise[k]
	}
	normalise(noise)
	return noise
}

// embed maps d dimensions into 512, keeping all angles: 512×d columns of the
// Walsh-Hadamard matrix are orthogonal. The stride takes columns from all over
// it (an odd number meets each once), and the signs keep rows from being alike.
func embed(v []float64) []float64 {
	const stride = 205
	out := make([]float64, dimensions)
	for k, x := range v {
		out[k*stride%dimensions] = x
	}
	for h := 1; h < dimensions; h *= 2 {
		for i := 0; i < dimensions; i += 2 * h {
			for j := i; j < i+h; j++ {
				out[j], out[j+h] = out[j]+out[j+h], out[j]-out[j+h]
			}
		}
	}
	scale := 1 / math.Sqrt(dimensions)
	for k := range out {
		if bits.OnesCount(uint(k*k*7+k*3))%2 == 1 {
			out[k] = -out[k]
		}
		out[k] *= scale
	}
	return out
}

// quantise rounds to a byte a component; the largest becomes 127.
func quantise(v []float64) (t Template) {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(x))
	}
	for k, x := range v {
		t[k] = int8(math.Round(x * 127 / largest))
	}
	return t
}

func narrow(v []float64) (p Probe) {
	for k, x := range v {
		p[k] = float32(x)
	}
	return p
}

func normalise(v []float64) {
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	f := 1 / math.Sqrt(sum)
	for k := range v {
		v[k] *= f
	}
}

// normals draws n standard normal numbers from 4 bytes each (Box-Muller, tails
// to 6.7 σ). The reader is the caller's stream and must not run dry.
func normals(random io.Reader, n int) []float64 {
	pairs := (n + 1) / 2
	raw := make([]byte, 8*pairs)
	if _, err := io.ReadFull(random, raw); err != nil {
		panic("camera: the random source failed: " + err.Error())
	}
	out := make([]float64, 2*pairs)
	for k := range pairs {
		u := (float64(binary.LittleEndian.Uint32(raw[8*k:])) + 0.5) / (1 << 32)
		v := (float64(binary.LittleEndian.Uint32(raw[8*k+4:])) + 0.5) / (1 << 32)
		r := math.Sqrt(-2 * math.Log(u))
		sin, cos := math.Sincos(2 * math.Pi * v)
		out[2*k], out[2*k+1] = r*cos, r*sin
	}
	return out[:n]
}
