package wallet

import (
	"context"
	"crypto/ecdsa"

	"rollcall.example/rollcall/reference/keyproof"
)

// AskForTests asks for a credential with proofs that were made before.
func (t *Token) AskForTests(ctx context.Context, config string, keys []*ecdsa.PrivateKey, proofs keyproof.Proofs) ([]Copy, error) {
	return t.ask(ctx, config, keys, proofs, "")
}
