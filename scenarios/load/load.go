// Package load holds the load scripts for k6 that are built in: data, as the scenarios
// are. rollcall live runs them; so does k6 itself, with the extension k6/x/rollcall.
package load

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.js
var files embed.FS

// nation is the part that the scripts share; it is no load by itself.
const nation = "nation.js"

// Files are the scripts, with what they share.
func Files() fs.FS { return files }

// Names lists the loads.
func Names() (all []string) {
	entries, _ := fs.ReadDir(files, ".") // it is built in
	for _, e := range entries {
		if e.Name() != nation {
			all = append(all, strings.TrimSuffix(e.Name(), ".js"))
		}
	}
	return all
}
