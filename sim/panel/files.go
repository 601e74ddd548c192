package panel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rollcall.example/rollcall/wholefile"
)

// writeFiles writes files into a folder, which it makes when there is none: none
// stands under its name before all are complete.
func writeFiles(dir string, files []journeyFile) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	var all []wholefile.File
	for _, f := range files {
		all = append(all, wholefile.File{Path: filepath.Join(dir, f.name), Data: f.data, Mode: 0o644})
	}
	return wholefile.Write(wholefile.OS, all...)
}

// markdown tells the story to people.
func (s *Story) markdown() []byte {
	var b strings.Builder
	way := "by tapping an IC card on the phone"
	if s.Channel == ByCentre {
		way = "at a community centre, by QR code"
	}
	fmt.Fprintf(&b, "# The journey of %s (%s)\n\n", s.Name, s.Romanised)
	fmt.Fprintf(&b, "Citizen %d of scenario `%s`, seed %d, resident of %s; nobody real. The mobile card was issued %s.\n", s.Citizen, s.Scenario, s.Seed, s.Municipality, way)
	b.WriteString("Everything below was done by the real ID service, with an emulated card, phone and camera, in virtual time.\n\n")
	b.WriteString("| time | who | what | outcome | bytes |\n|---|---|---|---|---:|\n")
	cell := func(text string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text) }
	for _, x := range s.Steps {
		size := 0
		for _, m := range x.Messages {
			size += m.Size
		}
		bytes := ""
		if size > 0 {
			bytes = fmt.Sprint(size)
		}
		took := ""
		if x.TookMS > 0 {
			took = fmt.Sprintf(" (%.0f ms)", x.TookMS)
		}
		fmt.Fprintf(&b, "| %s | %s | %s%s | %s | %s |\n", strings.Replace(x.At[:19], "T", " ", 1), cell(x.Who), cell(x.What), took, cell(x.Outcome), bytes)
	}
	b.WriteString("\n## Why\n\n")
	for i, x := range s.Steps {
		fmt.Fprintf(&b, "%d. %s %s: %s.\n", i+1, strings.ToUpper(x.Who[:1])+x.Who[1:], x.What, strings.TrimSuffix(x.Rule, "."))
		for _, m := range x.Messages {
			if m.To != "everybody" && m.From != aChip && m.To != aChip {
				fmt.Fprintf(&b, "   - %s to %s: %s, %d bytes\n", m.From, m.To, m.What, m.Size)
			}
		}
	}
	fmt.Fprintf(&b, "\n## The files\n\n"+
		"| file | what |\n|---|---|\n"+
		"| `iaca.pem`, `ds.pem` | the authority's root, and the signer of the card (ISO/IEC 18013-5 Annex B) |\n"+
		"| `device_response.cbor` | the last presentation |\n"+
		"| `session_transcript.cbor` | the session it was signed for (CBOR array) |\n"+
		"| `status_list.jwt`, `status_list.cwt` | the status list at the end; this card stands at index %d and is %s there |\n"+
		"| `apdu.log` | every command to the IC card and its answer |\n"+
		"| `journey.json` | all of this with every message in full |\n", s.StatusIndex, [...]string{"valid", "invalid", "suspended"}[min(s.StatusValue, 2)])
	return []byte(b.String())
}
