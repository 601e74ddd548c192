package proximity

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

const version = "1.0"

// cipherSuite is ECDH on P-256, HKDF and AES-256-GCM with SHA-256 (§9.1.5.2), the
// only one there is.
const cipherSuite = 1

// ErrCipherSuite: the phone speaks a cipher suite that is not known here.
var ErrCipherSuite = errors.New("the phone offers a cipher suite that is not known here")

// Engagement is a DeviceEngagement: what a phone says of itself before anybody may
// ask it.
type Engagement struct {
	Key *ecdh.PublicKey // ephemeral, P-256
	NFC *NFC            // nil: the phone cannot be reached so
	BLE *BLE

	raw []byte
}

// NFC is how data is retrieved over NFC.
type NFC struct {
	MaxCommand  int // bytes of data in one command, 255 to 65535
	MaxResponse int // and in one response, 256 to 65536
}

// BLE is how data is retrieved over Bluetooth low energy.
type BLE struct {
	PeripheralServer bool   // the phone may be the server,
	CentralClient    bool   // or the client
	PeripheralUUID   []byte // of the service in that role, 16 bytes
	CentralUUID      []byte
	Address          []byte // of the phone as server, 6 bytes; nil if it is not told
}

// Retrieval methods and their version (§8.2.1.1, Table 1).
const (
	methodNFC     = 1
	methodBLE     = 2
	methodVersion = 1
)

// Limits of what a phone may say.
const (
	maxEngagement = 2 << 10
	maxMethods    = 8
)

func (n *NFC) check() error {
	if n.MaxCommand < 255 || n.MaxCommand > 65535 || n.MaxResponse < 256 || n.MaxResponse > 65536 {
		return fmt.Errorf("commands of %d and responses of %d bytes; 255 to 65535 and 256 to 65536 are allowed", n.MaxCommand, n.MaxResponse)
	}
	return nil
}

func (b *BLE) check() error {
	fits := func(s []byte, n int) bool { return s == nil || len(s) == n }
	switch {
	case !b.PeripheralServer && !b.CentralClient:
		return errors.New("the offer of Bluetooth is in neither role")
	case b.PeripheralServer && b.PeripheralUUID == nil || b.CentralClient && b.CentralUUID == nil:
		return errors.New("the offer of Bluetooth lacks the service of a role")
	case !fits(b.PeripheralUUID, 16) || !fits(b.CentralUUID, 16) || !fits(b.Address, 6):
		return errors.New("a Bluetooth service has 16 bytes, an address 6")
	}
	return nil
}

// NewEngagement offers a key and the ways in which the phone can be reached; none
// where a handover says them.
func NewEngagement(key *ecdh.PublicKey, nfc *NFC, ble *BLE) (*Engagement, error) {
	e := &Engagement{Key: key, NFC: nfc, BLE: ble}
	encoded, err := appendKey(nil, key)
	if err != nil {
		return nil, err
	}
	methods, fields := 0, 2
	if nfc != nil {
		if err := nfc.check(); err != nil {
			return nil, err
		}
		methods++
	}
	if ble != nil {
		if err := ble.check(); err != nil {
			return nil, err
		}
		methods++
	}
	if methods > 0 {
		fields++
	}
	b := cose.AppendMap(nil, fields)
	b = cose.AppendText(cose.AppendUint(b, 0), version)
	b = cose.AppendArray(cose.AppendUint(b, 1), 2)
	b = cose.AppendTag24(cose.AppendUint(b, cipherSuite), encoded)
	if methods > 0 {
		b = cose.AppendArray(cose.AppendUint(b, 2), methods)
	}
	if nfc != nil {
		b = appendMethod(b, methodNFC)
		b = cose.AppendMap(b, 2)
		b = cose.AppendUint(cose.AppendUint(b, 0), uint64(nfc.MaxCommand))
		b = cose.AppendUint(cose.AppendUint(b, 1), uint64(nfc.MaxResponse))
	}
	if ble != nil {
		b = appendMethod(b, methodBLE)
		b = ble.append(b)
	}
	e.raw = b
	return e, nil
}

func appendMethod(b []byte, method uint64) []byte {
	b = cose.AppendArray(b, 3)
	return cose.AppendUint(cose.AppendUint(b, method), methodVersion)
}

func (b *BLE) append(out []byte) []byte {
	n := 2
	for _, s := range [][]byte{b.PeripheralUUID, b.CentralUUID, b.Address} {
		if s != nil {
			n++
		}
	}
	out = cose.AppendMap(out, n)
	out = cose.AppendBool(cose.AppendUint(out, 0), b.PeripheralServer)
	out = cose.AppendBool(cose.AppendUint(out, 1), b.CentralClient)
	for _, f := range []struct {
		label uint64
		value []byte
	}{{10, b.PeripheralUUID}, {11, b.CentralUUID}, {20, b.Address}} {
		if f.value != nil {
			out = cose.AppendBytes(cose.AppendUint(out, f.label), f.value)
		}
	}
	return out
}

// Bytes is the DeviceEngagement as it was made or read.
func (e *Engagement) Bytes() []byte { return e.raw }

// ParseEngagement reads a DeviceEngagement.
func ParseEngagement(data []byte) (*Engagement, error) {
	if len(data) > maxEngagement {
		return nil, fmt.Errorf("the device engagement: %d bytes; %d are the most", len(data), maxEngagement)
	}
	e := &Engagement{raw: append([]byte(nil), data...)}
	var ver string
	var suite uint64
	var key []byte
	r := cose.NewReader(e.raw)
	r.Labels(func(label int64) {
		switch label {
		case 0:
			ver = string(r.Text())
		case 1:
			if r.Array() != 2 {
				r.Fail("security is a cipher suite and a key")
				return
			}
			suite, key = r.Uint(), r.Skip()
		case 2:
			n := r.Array()
			if n > maxMethods {
				r.Fail("%d ways of retrieval; %d are the most", n, maxMethods)
			}
			for i := 0; i < n && r.Err() == nil; i++ {
				e.readMethod(r)
			}
		default:
			r.Skip() // server retrieval, protocol information, what later editions add
		}
	})
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("the device engagement: %w", err)
	}
	switch {
	case ver != version:
		return nil, fmt.Errorf("the device engagement: version %q, not 1.0", ver)
	case key == nil:
		return nil, errors.New("the device engagement has no key")
	case suite != cipherSuite:
		return nil, fmt.Errorf("%w: %d", ErrCipherSuite, suite)
	}
	encoded, err := cose.Untag24(key)
	if err == nil {
		e.Key, err = parseKey(encoded)
	}
	if err != nil {
		return nil, fmt.Errorf("the device engagement: %w", err)
	}
	return e, nil
}

// readMethod reads one way of retrieval; those that are not known are passed over.
func (e *Engagement) readMethod(r *cose.Reader) {
	n := r.Array()
	if r.Err() == nil && n != 3 {
		r.Fail("a way of retrieval is type, version and options")
		return
	}
	method, ver := r.Uint(), r.Uint()
	switch {
	case method == methodNFC && ver == methodVersion && e.NFC == nil:
		e.NFC = &NFC{}
		r.Labels(func(label int64) {
			switch label {
			case 0:
				e.NFC.MaxCommand = int(min(r.Uint(), 1<<20))
			case 1:
				e.NFC.MaxResponse = int(min(r.Uint(), 1<<20))
			default:
				r.Skip()
			}
		})
		if err := e.NFC.check(); err != nil {
			r.Fail("%v", err)
		}
	case method == methodBLE && ver == methodVersion && e.BLE == nil:
		e.BLE = &BLE{}
		r.Labels(func(label int64) {
			switch label {
			case 0:
				e.BLE.PeripheralServer = r.Bool()
			case 1:
				e.BLE.CentralClient = r.Bool()
			case 10:
				e.BLE.PeripheralUUID = r.Bytes()
			case 11:
				e.BLE.CentralUUID = r.Bytes()
			case 20:
				e.BLE.Address = r.Bytes()
			default:
				r.Skip()
			}
		})
		if err := e.BLE.check(); err != nil {
			r.Fail("%v", err)
		}
	case method <= methodBLE && ver == methodVersion && method > 0:
		r.Fail("a way of retrieval comes twice")
	default:
		r.Skip()
	}
}

// scheme is that of the QR code (§8.2.2.3).
const scheme = "mdoc:"

// URI is the engagement as the text of a QR code.
func (e *Engagement) URI() string { return scheme + base64.RawURLEncoding.EncodeToString(e.raw) }

// ParseURI reads the text of a QR code.
func ParseURI(uri string) (*Engagement, error) {
	text, ok := strings.CutPrefix(uri, scheme)
	switch {
	case !ok:
		return nil, fmt.Errorf("the QR code is not that of a mobile card, which begins with %q", scheme)
	case len(text) > base64.RawURLEncoding.EncodedLen(maxEngagement):
		return nil, fmt.Errorf("the QR code: %d characters are too many", len(text))
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the QR code: %w", err)
	}
	return ParseEngagement(raw)
}
