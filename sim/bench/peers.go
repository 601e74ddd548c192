package bench

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"
)

// Peers are other people's verifiers, in a process of their own.
type Peers struct {
	Do   func(name string, n int) error // so many verifications by one of them
	CPU  func() time.Duration           // that the process has used; nil: the system does not tell
	Stop func()
}

// Sample is what peers verify, a file in JSON: the responses that the benchmarks
// Card/mdoc/Verify/... verify, too.
type Sample struct {
	At         time.Time `json:"at"`   // when they are looked at
	Root       string    `json:"root"` // PEM
	Transcript []byte    `json:"transcript"`
	Responses  [][]byte  `json:"responses"`
}

const nodeVerify = "Floor/node/P256Verify"

// peers are verifiers in JavaScript. They remember nothing from one response to the
// next: the certificate, the card and the phone's signature are verified each time (the root is
// taken as it is), so theirs is the work of Verify/cold but for one signature.
func peers() []benchmark {
	beside := []string{"Card/mdoc/Verify/cold", "Card/mdoc/Verify/chain-cached"}
	return []benchmark{
		{name: nodeVerify, peer: true, make: peer("node")},
		{name: "Peer/auth0-mdl/Verify", peer: true, floor: []part{{nodeVerify, 3}}, beside: beside, make: peer("@auth0/mdl")},
		{name: "Peer/owf-mdoc/Verify", peer: true, floor: []part{{nodeVerify, 3}}, beside: beside, make: peer("@owf/mdoc")},
	}
}

func peer(name string) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		p, err := e.peers()
		if err != nil {
			return nil, err
		}
		return &subject{remote: true, cpu: p.CPU, run: func(n int) error { return p.Do(name, n) }}, nil
	}
}

// peers starts them on what they are to verify, once.
func (e *env) peers() (*Peers, error) {
	if e.p != nil {
		return e.p, nil
	}
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	s := Sample{At: at, Transcript: w.transcript, Root: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.iaca.Certificate()}))}
	if s.Responses, err = w.responses(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(e.o.Dir, "responses.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	if e.p, err = e.o.Peers(e.ctx, file); err != nil {
		return nil, err
	}
	e.atEnd(e.p.Stop)
	return e.p, nil
}
