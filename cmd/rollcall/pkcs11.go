//go:build pkcs11

package main

import (
	"os"

	"rollcall.example/rollcall/reference/keys/pkcs11"
)

// Keys in hardware: the PIN of their tokens comes from the environment.
func init() { openElsewhere = pkcs11.New(os.Getenv("ROLLCALL_PKCS11_PIN")).Open }
