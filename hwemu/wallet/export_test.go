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

// InstanceForTests is the key that proves which wallet it is.
func (w *Wallet) InstanceForTests() *ecdsa.PrivateKey { return w.instance }
