package verification

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/store"
)

// Meeting is a session in which a card was shown in person to a verifier's terminal
// (ISO/IEC 18013-5, package proximity). The terminal made it fresh with a key of its
// own, so that it takes the place of a Transaction: what was said in it is good for
// it alone.
type Meeting struct {
	Transcript []byte
	// Reader is the terminal's ephemeral key, with which a phone's MAC is checked.
	// Without it the phone must have signed, as where the terminal keeps its keys to
	// itself.
	Reader *ecdh.PrivateKey
}

// VerifyMeeting is Verify for a card shown in person: the answer is that of the
// committed register, and given once for each meeting.
func (s *Service) VerifyMeeting(ctx context.Context, m Meeting, response []byte) (Answer, error) {
	now := s.register.Now()
	presented, wrong := mdoc.VerifyProximity(response, m.Transcript, s.options.Anchors, now, m.Reader)
	// A transcript says nothing of when it was.
	meeting := sha256.Sum256(append([]byte("meeting\x00"), m.Transcript...))
	return s.judgeOne(ctx, func(tx store.Tx) error {
		return replayed(tx.UseOnce(meeting[:], now.Add(s.options.Lifetime)))
	}, presented, wrong, now)
}

// VerifyMeeting is Verify for a card shown in person to a verifier that is offline.
// Its terminal ended the meeting with the response, so there is no second one to
// refuse.
func (v *Offline) VerifyMeeting(m Meeting, response []byte) (Answer, error) {
	now := v.o.Now()
	p, err := mdoc.VerifyProximity(response, m.Transcript, v.o.Anchors, now, m.Reader)
	if err != nil {
		return Answer{Verdict: lifecycle.NotValid}, nil
	}
	return v.judge(p, now)
}
