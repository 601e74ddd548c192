package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// AuditEntry is one line of the audit export:
//
//	{"seq":1,"time":"RFC 3339","actor":"...","role":"...","event":"...",
//	 "subject":"...","reason":"...","prev":"hex","hash":"hex"}
//
// hash = SHA-256(prev as bytes ‖ body), where body is the line without its
// members prev and hash, as written (compact, members in their order). prev of
// the first line is empty or 32 zero bytes. Members unknown here belong to the
// body.
type AuditEntry struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Actor   string    `json:"actor"`
	Role    string    `json:"role"`
	Event   string    `json:"event"`
	Subject string    `json:"subject"`
	Reason  string    `json:"reason"`
	Prev    string    `json:"prev"`
	Hash    string    `json:"hash"`
}

// maxAuditLine bounds one line of the export.
const maxAuditLine = 64 << 10

// auditLine is an entry with what is needed to check its place in the chain.
type auditLine struct {
	AuditEntry
	prev, hash []byte
	body       []byte
	raw        []byte
	claimed    *op // the change it records
	initial    bool
}

// parseAudit reads an export. It fails on the first line that is no entry; a
// broken chain is no error here (see S10).
func parseAudit(export []byte) ([]auditLine, error) {
	var lines []auditLine
	for n := 1; len(export) > 0; n++ {
		raw := export
		if i := bytes.IndexByte(export, '\n'); i >= 0 {
			raw, export = export[:i], export[i+1:]
		} else {
			export = nil
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		if len(raw) > maxAuditLine {
			return lines, fmt.Errorf("audit export, line %d: longer than %d bytes", n, maxAuditLine)
		}
		l := auditLine{raw: raw}
		if err := json.Unmarshal(raw, &l.AuditEntry); err != nil {
			return lines, fmt.Errorf("audit export, line %d: %w", n, err)
		}
		var err error
		if l.body, err = auditBody(raw); err != nil {
			return lines, fmt.Errorf("audit export, line %d: %w", n, err)
		}
		if l.prev, err = hex.DecodeString(l.Prev); err != nil {
			return lines, fmt.Errorf("audit export, line %d: prev is not hexadecimal", n)
		}
		if l.hash, err = hex.DecodeString(l.Hash); err != nil {
			return lines, fmt.Errorf("audit export, line %d: hash is not hexadecimal", n)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// auditBody cuts the members prev and hash out of a line and leaves every other
// byte of the members as it is written.
func auditBody(line []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object")
	}
	body := []byte{'{'}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("a member has no name")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if name == "prev" || name == "hash" {
			continue
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		quoted, _ := json.Marshal(name)
		body = append(append(append(body, quoted...), ':'), value...)
	}
	return append(body, '}'), nil
}

// link says why line i does not continue the chain; empty if it does.
func link(lines []auditLine, i int) string {
	l := &lines[i]
	if i == 0 {
		if l.Seq == 1 && len(bytes.Trim(l.prev, "\x00")) != 0 {
			return "the first entry names a previous one"
		}
	} else {
		p := &lines[i-1]
		switch {
		case l.Seq == p.Seq:
			return fmt.Sprintf("sequence %d has two entries", l.Seq)
		case l.Seq != p.Seq+1:
			return fmt.Sprintf("after entry %d comes entry %d", p.Seq, l.Seq)
		case !bytes.Equal(l.prev, p.hash):
			return fmt.Sprintf("entry %d does not follow from entry %d: its previous hash is another", l.Seq, p.Seq)
		}
	}
	h := sha256.New()
	h.Write(l.prev)
	h.Write(l.body)
	if !bytes.Equal(h.Sum(nil), l.hash) {
		return fmt.Sprintf("the hash of entry %d is not that of its content", l.Seq)
	}
	return ""
}
