// Command k6 is k6 with the extension k6/x/rollcall compiled in: emulated citizens
// load a running ID service, and every answer is checked.
//
// This folder is a module of its own under AGPL-3.0, which is k6's licence. Nothing
// else of Rollcall imports it.
package main

import (
	"go.k6.io/k6/cmd"

	_ "rollcall.example/rollcall/cmd/k6/rollcall" // registers k6/x/rollcall
)

func main() { cmd.Execute() }
