package camera

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
)

// Portrait size in pixels: the 3:4 of an identity photograph, small enough for a
// chip.
const (
	PortraitWidth  = 180
	PortraitHeight = 240
)

// Portrait draws a face that belongs to nobody, as a greyscale JPEG of some
// kilobytes: plainly a drawing, with the proportions that a picture on an
// identity document has to have. It carries no identity; templates do.
func Portrait(random io.Reader) []byte {
	raw := make([]byte, 8)
	if _, err := io.ReadFull(random, raw); err != nil {
		panic("camera: the random source failed: " + err.Error())
	}
	// between maps a drawn byte to a range.
	between := func(k int, low, high float64) float64 { return low + (high-low)*float64(raw[k])/255 }
	var (
		width  = between(0, 46, 58) // half axes of the head
		height = between(1, 62, 76)
		eyes   = between(2, 18, 25) // from the middle
		mouth  = between(3, 11, 21)
		skin   = between(4, 165, 215)
		hair   = between(5, 25, 95)
		fringe = between(6, 0.35, 0.75)
		nose   = between(7, 12, 20)
	)
	const cx, cy = PortraitWidth / 2.0, 112.0
	// inside is 1 within an ellipse, 0 outside, soft over the two pixels between.
	inside := func(x, y, mx, my, a, b float64) float64 {
		x, y = (x-mx)/a, (y-my)/b
		r, soft := x*x+y*y, 1/min(a, b)
		if r > (1+soft)*(1+soft) {
			return 0
		}
		return min((1-math.Sqrt(r))/(2*soft)+0.5, 1)
	}
	img := image.NewGray(image.Rect(0, 0, PortraitWidth, PortraitHeight))
	for py := range PortraitHeight {
		for px := range PortraitWidth {
			x, y := float64(px), float64(py)
			v := 235 - 10*y/PortraitHeight
			paint := func(shade, cover float64) { v += (shade - v) * cover }
			paint(70, inside(x, y, cx, 262, 82, 70))                              // shoulders
			paint(hair, inside(x, y, cx, cy-12, width+9, height+8))               // hair
			paint(skin-25, inside(x, y, cx, 185, 22, 34))                         // neck
			face := inside(x, y, cx, cy+6, width, height-4)                       // face
			paint(skin-0.25*math.Abs(x-cx), face)                                 //
			paint(hair, face*inside(x, y, cx, cy-height, width+4, height*fringe)) // fringe
			for _, side := range []float64{-1, 1} {
				paint(250, inside(x, y, cx+side*eyes, cy, 8, 4))
				paint(40, inside(x, y, cx+side*eyes, cy, 3.5, 3.5))
				paint(hair+20, inside(x, y, cx+side*eyes, cy-11, 11, 2.5))
			}
			paint(skin-35, inside(x, y, cx, cy+nose, 5, 9))
			paint(95, inside(x, y, cx, cy+nose+22, mouth, 3.5))
			img.SetGray(px, py, color.Gray{Y: uint8(min(max(v, 0), 255))})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 60}); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return out.Bytes()
}
