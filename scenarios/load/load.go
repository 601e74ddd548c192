// Package load holds the load scripts for k6 that are built in: data, as the scenarios
// are. rollcall live runs them; so does k6 itself, with the extension k6/x/rollcall.
package load

import (
	"embed"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

//go:embed *.js
var files embed.FS

// nation is the part that the scripts share; it is no load by itself.
const nation = "nation.js"

// Files are the scripts, with what they share.
func Files() fs.FS { return files }

// setting is where a script reads one of its settings.
var setting = regexp.MustCompile(`(?:number|seconds|env)\('([A-Z_]+)'|__ENV\.([A-Z_]+)`)

// Settings lists what a load can be told by the environment; nil: there is no such load.
func Settings(name string) (all []string) {
	for _, file := range []string{name + ".js", nation} {
		text, err := files.ReadFile(file)
		if err != nil {
			return nil
		}
		for _, m := range setting.FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1]+m[2])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

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
