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

// CheckForTests checks copies that came for keys.
func (w *Wallet) CheckForTests(config string, c Configuration, came []string, keys []*ecdsa.PrivateKey) ([]Copy, error) {
	return w.check(config, c, came, keys)
}

// InstanceForTests is the key that proves which wallet it is.
func (w *Wallet) InstanceForTests() *ecdsa.PrivateKey { return w.instance }
