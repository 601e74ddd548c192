package phone

import "crypto/ecdsa"

// KeyForTests is a key made of a name.
func KeyForTests(name string) *ecdsa.PrivateKey { return keyFrom(name, nil, 0) }
