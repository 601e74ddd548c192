package oracle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// AuditLine is one line of the audit export, as the service documents it:
//
//	{"previous":"hex","hash":"hex","entry":{...}}
//
// hash = SHA-256(previous as bytes ‖ the bytes of entry as they stand in the
// line); previous of the first line is 32 zero bytes.
type AuditLine struct {
	Previous string          `json:"previous"`
	Hash     string          `json:"hash"`
	Entry    json.RawMessage `json:"entry"`
}

// AuditEntry is what the judge reads of an entry; members unknown here are
// covered by the hash only. Sequence is the register's, one for each change.
type AuditEntry struct {
	Sequence uint64    `json:"sequence"`
	At       time.Time `json:"at"`
	Event    string    `json:"event"`
	Person   uint64    `json:"person"`
	Actor    string    `json:"actor"`
	Role     string    `json:"role"`
	Reason   string    `json:"reason"`
	Cause    string    `json:"cause,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Card     string    `json:"card,omitempty"`
	Wallet   string    `json:"wallet,omitempty"`
	Until    string    `json:"until,omitempty"` // RFC 3339
	// Before and After are the person's states around the change; nil: not said.
	Before *AuditState `json:"before,omitempty"`
	After  *AuditState `json:"after,omitempty"`
	// Copies are the places of an issued credential in the status lists.
	Copies []AuditCopy `json:"copies,omitempty"`
	// List is by which another authority has revoked certificates.
	List *AuditList `json:"list,omitempty"`
}

// AuditList is what an entry says that an authority has revoked.
type AuditList struct {
	Authority string `json:"authority"`
	Revoked   []struct {
		Serial string `json:"serial"`
	} `json:"revoked"`
}

// AuditState is what somebody holds, and what is reported.
type AuditState struct {
	Card           bool `json:"card"`
	Credential     bool `json:"credential"`
	PhysicalLost   bool `json:"physical_lost"`
	MobileLost     bool `json:"mobile_lost"`
	Administrative bool `json:"administrative"`
	Removed        bool `json:"removed,omitempty"`
}

// AuditCopy is a place in a status list; lists are numbered.
type AuditCopy struct {
	List  uint32 `json:"list"`
	Index uint64 `json:"index"`
}

// Events of audit entries.
const (
	ResidentRegistered    = "resident-registered"
	CardIssued            = "card-issued"
	CredentialIssued      = "credential-issued"
	ReportPhysicalLost    = "report-physical-lost"
	ReportMobileLost      = "report-mobile-lost"
	ReleasePhysical       = "release-physical"
	ReleaseMobile         = "release-mobile"
	SuspendAdministrative = "suspend-administrative"
	ReleaseAdministrative = "release-administrative"
	CredentialExpired     = "credential-expired"
	PersonRemoved         = "person-removed"
	CertificateRevoked    = "certificate-revoked" // its own in Subject, another authority's in List
)

// partyEvents are those of staff, verifiers and the service's own certificates, which
// are no residents.
var partyEvents = map[string]bool{CertificateRevoked: true, "party-entered": true, "party-changed": true, "party-ended": true, "sessions-ended": true}

// reportEvent and releaseEvent name the events of a cause.
var (
	reportEvent  = map[Cause]string{PhysicalLost: ReportPhysicalLost, MobileLost: ReportMobileLost, Administrative: SuspendAdministrative}
	releaseEvent = map[Cause]string{PhysicalLost: ReleasePhysical, MobileLost: ReleaseMobile, Administrative: ReleaseAdministrative}
)

// maxAuditLine bounds one line of the export.
const maxAuditLine = 1 << 20

// auditLine is an entry with what is needed to check its place in the chain.
type auditLine struct {
	AuditEntry
	person     string
	prev, hash []byte
	body       []byte
	raw        []byte
	claimed    bool // a change is known to which it belongs
}

// parseAudit reads an export. It fails on the first line that is no entry; a
// broken chain is no error here (see S10).
func parseAudit(export []byte) ([]auditLine, error) {
	lines := make([]auditLine, 0, bytes.Count(export, []byte("\n"))+1)
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
			return lines, fmt.Errorf("audit export, line %d is longer than %d bytes", n, maxAuditLine)
		}
		var outer AuditLine
		if err := json.Unmarshal(raw, &outer); err != nil {
			return lines, fmt.Errorf("audit export, line %d: %w", n, err)
		}
		l := auditLine{raw: raw, body: outer.Entry}
		if err := json.Unmarshal(outer.Entry, &l.AuditEntry); err != nil {
			return lines, fmt.Errorf("audit export, line %d: %w", n, err)
		}
		l.person = strconv.FormatUint(l.Person, 10)
		var err error
		if l.prev, err = hex.DecodeString(outer.Previous); err != nil {
			return lines, fmt.Errorf("audit export, line %d: previous is not hexadecimal", n)
		}
		if l.hash, err = hex.DecodeString(outer.Hash); err != nil {
			return lines, fmt.Errorf("audit export, line %d: hash is not hexadecimal", n)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// brings is what must hold after an event. Who releases a phone that was replaced
// changes nothing that stands here.
var brings = map[string]func(AuditState) bool{
	CardIssued:            func(s AuditState) bool { return s.Card && !s.PhysicalLost && !s.Credential },
	CredentialIssued:      func(s AuditState) bool { return s.Card && s.Credential && !s.MobileLost },
	ReportPhysicalLost:    func(s AuditState) bool { return s.PhysicalLost },
	ReportMobileLost:      func(s AuditState) bool { return s.MobileLost },
	SuspendAdministrative: func(s AuditState) bool { return s.Administrative },
	ReleasePhysical:       func(s AuditState) bool { return !s.PhysicalLost },
	ReleaseAdministrative: func(s AuditState) bool { return !s.Administrative },
	CredentialExpired:     func(s AuditState) bool { return !s.Credential },
	PersonRemoved:         func(s AuditState) bool { return !s.Card && !s.Credential },
}

// unlike says of the first entry whose states do not fit its event, or the entry of
// the same person before it, why; of a part of a log what comes first fits anything.
// An issue that was judged by another state than the register's is S8's business. That
// somebody was removed stays; entries of before states said so may leave it open.
func unlike(lines []auditLine, part bool) (*auditLine, string) {
	last := map[string]*AuditState{}
	for i := range lines {
		l := &lines[i]
		if l.Before == nil || l.After == nil {
			continue
		}
		before, known := last[l.person]
		if !known && !part {
			before = &AuditState{}
		}
		if before != nil && l.Event != CredentialIssued {
			was := *before
			if was.Removed = was.Removed || l.Before.Removed; was != *l.Before {
				return l, fmt.Sprintf("entry %d (%s) gives the state before it as %+v, it was %+v", l.Sequence, l.Event, *l.Before, *before)
			}
		}
		if holds := brings[l.Event]; holds != nil && !holds(*l.After) {
			return l, fmt.Sprintf("entry %d (%s) gives the state after it as %+v", l.Sequence, l.Event, *l.After)
		}
		last[l.person] = l.After
	}
	return nil, ""
}

// revoked are the certificates that an entry says were revoked, each with its authority.
func (l *auditLine) revoked() (out [][2]string) {
	switch {
	case l.Event != CertificateRevoked:
	case l.List == nil:
		out = append(out, [2]string{"", l.Subject})
	default:
		for _, c := range l.List.Revoked {
			out = append(out, [2]string{l.List.Authority, c.Serial})
		}
	}
	return out
}

// link says why line i does not continue the chain; empty if it does.
func link(lines []auditLine, i int) string {
	l := &lines[i]
	if i == 0 {
		if l.Sequence != 1 || len(bytes.Trim(l.prev, "\x00")) != 0 {
			return fmt.Sprintf("the chain begins with entry %d", l.Sequence)
		}
	} else {
		p := &lines[i-1]
		switch {
		case l.Sequence != p.Sequence+1:
			return fmt.Sprintf("entry %d stands after entry %d", l.Sequence, p.Sequence)
		case !bytes.Equal(l.prev, p.hash):
			return fmt.Sprintf("entry %d does not follow from entry %d: it names another hash before it", l.Sequence, p.Sequence)
		}
	}
	h := sha256.New()
	h.Write(l.prev)
	h.Write(l.body)
	if !bytes.Equal(h.Sum(nil), l.hash) {
		return fmt.Sprintf("the hash of entry %d is not that of its content", l.Sequence)
	}
	return ""
}
