package console

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrCode is a QR code (ISO/IEC 18004) as the path of an SVG picture, a unit for each
// module.
type qrCode struct {
	Size int // with the quiet zone of four modules on each side
	Path template.HTMLAttr
}

const quiet = 4

// encode draws a text, with the least redundancy: screens are not dirty, and a code
// with fewer modules is read from farther away.
func encode(text string) (qrCode, error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return qrCode{}, fmt.Errorf("the text does not fit into a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		v, _, _, _ := code.At(x, y).RGBA()
		return v == 0
	}
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	return qrCode{size + 2*quiet, template.HTMLAttr(`d="` + path.String() + `"`)}, nil
}
