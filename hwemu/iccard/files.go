package iccard

// access is when a file may be read.
type access byte

const (
	always       access = iota
	afterOpening        // on a protected chip, under secure messaging
	afterPIN            // so too, and the PIN was shown since the application was selected
)

// layout is what a blank chip has: applications and their files. Sizes are the
// most a file can hold.
var layout = [...]struct {
	name  string
	aid   string
	files []fileSpec
}{
	{"master file", "", []fileSpec{
		{id: 0x2F00, short: 0x1E, capacity: 64, name: "EF.DIR"},
		{id: 0x2F01, short: 0x01, capacity: 64, name: "EF.ATR/INFO"},
		{id: 0x011C, short: 0x1C, capacity: 128, optional: true, name: "EF.CardAccess"},
		{id: 0x011D, short: 0x1D, capacity: 2048, read: afterOpening, optional: true, name: "EF.CardSecurity"},
	}},
	{"eMRTD", "\xA0\x00\x00\x02\x47\x10\x01", []fileSpec{
		{id: 0x011E, short: 0x1E, capacity: 64, read: afterOpening, name: "EF.COM"},
		{id: 0x011D, short: 0x1D, capacity: 4096, read: afterOpening, name: "EF.SOD"},
		{id: 0x0101, short: 0x01, capacity: 128, read: afterOpening, name: "EF.DG1"},
		{id: 0x0102, short: 0x02, capacity: 20480, read: afterOpening, name: "EF.DG2"},
		{id: 0x010B, short: 0x0B, capacity: 512, read: afterOpening, name: "EF.DG11"},
		{id: 0x010C, short: 0x0C, capacity: 256, read: afterOpening, name: "EF.DG12"},
		{id: 0x010D, short: 0x0D, capacity: 128, read: afterOpening, name: "EF.DG13"},
		{id: 0x010E, short: 0x0E, capacity: 384, read: afterOpening, name: "EF.DG14"},
		{id: 0x010F, short: 0x0F, capacity: 256, read: afterOpening, name: "EF.DG15"},
	}},
	{"resident", "\xF0ROLLCALL\x01", []fileSpec{
		{id: 0x0001, short: 0x01, capacity: 32, read: afterOpening, name: "EF.CardNumber"},
		{id: 0x0002, short: 0x02, capacity: 512, read: afterPIN, name: "EF.Template"},
	}},
}

// Application identifiers.
const (
	EMRTD    = "\xA0\x00\x00\x02\x47\x10\x01" // Doc 9303-10 §3.6.1
	Resident = "\xF0ROLLCALL\x01"             // ISO/IEC 7816-5: proprietary, unregistered
)

// Indices into layout.
const (
	masterFile = iota
	emrtd
	resident
)

type fileSpec struct {
	id       uint16
	short    byte
	capacity int
	read     access
	optional bool // only a protected chip has it
	name     string
}

// file is a transparent elementary file.
type file struct {
	*fileSpec
	content []byte // capacity bytes
	size    int    // of them written
}

// newFiles makes the empty files of all applications.
func newFiles() (all [len(layout)][]file) {
	for a := range layout {
		for i := range layout[a].files {
			spec := &layout[a].files[i]
			all[a] = append(all[a], file{fileSpec: spec, content: make([]byte, 0)})
		}
	}
	return all
}
