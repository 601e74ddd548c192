package iccard

// historical are the chip's historical bytes (ISO/IEC 7816-4 §12.1.1): card
// service data (selection by application identifier, EF.DIR and EF.ATR/INFO read
// by READ BINARY) and capabilities (selection by name, file and short file
// identifier; bytes as data units; chaining and extended lengths).
var historical = []byte{0x80, 0x31, 0xB8, 0x73, 0x94, 0x01, 0xE0}

// ATR is the answer to reset that a contactless reader tells programs of the card
// (PC/SC 2.01 part 3 §3.1.3.2.3.1, ISO/IEC 14443 A).
func (c *Card) ATR() []byte {
	atr := append([]byte{0x3B, 0x80 | byte(len(historical)), 0x80, 0x01}, historical...)
	var check byte
	for _, b := range atr[1:] {
		check ^= b
	}
	return append(atr, check)
}
