package panel

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/scenarios"
)

func tell(t *testing.T, channel, out string, citizen *uint32) (*Story, error) {
	t.Helper()
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	return Journey(t.Context(), JourneyOptions{Scenario: s, Nation: n, Citizen: citizen, Channel: channel, Out: out})
}

var journeyFiles = []string{"apdu.log", "device_response.cbor", "ds.pem", "iaca.pem", "journey.json", "journey.md",
	"session_transcript.cbor", "status_list.cwt", "status_list.jwt"}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestAJourneyLeavesFilesThatVerify(t *testing.T) {
	for _, channel := range []string{ByTap, ByCentre} {
		t.Run(channel, func(t *testing.T) {
			dir := t.TempDir()
			story, err := tell(t, channel, dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := names(t, dir); !slices.Equal(got, journeyFiles) {
				t.Fatalf("%v", got)
			}
			read := func(name string) []byte {
				b, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			block, _ := pem.Decode(read("iaca.pem"))
			anchors, err := mdoc.NewTrustAnchors(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			end, err := time.Parse(time.RFC3339, story.Steps[len(story.Steps)-1].At)
			if err != nil {
				t.Fatal(err)
			}
			shown, err := mdoc.Verify(read("device_response.cbor"), read("session_transcript.cbor"), anchors, end)
			if err != nil {
				t.Fatal(err)
			}
			if len(shown.Elements) != len(bankWants) || shown.Status.Index != story.StatusIndex || shown.Status.URI != story.StatusList {
				t.Errorf("%d elements, %+v", len(shown.Elements), shown.Status)
			}
			var told Story
			if err := json.Unmarshal(read("journey.json"), &told); err != nil {
				t.Fatal(err)
			}
			if told.StatusValue != uint8(statuslist.Valid) || told.StatusIndex != story.StatusIndex || len(told.Steps) < 15 {
				t.Errorf("status %d at %d, %d steps", told.StatusValue, told.StatusIndex, len(told.Steps))
			}
			jwt, err := statuslist.ParseJWT(read("status_list.jwt"), anchors, end)
			if err != nil {
				t.Fatal(err)
			}
			cwt, err := statuslist.ParseCWT(read("status_list.cwt"), anchors, end)
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range []*statuslist.Token{jwt, cwt} {
				if v, err := list.List.Get(told.StatusIndex); err != nil || v != statuslist.Valid || list.Subject != told.StatusList {
					t.Errorf("%v, %v, %s", v, err, list.Subject)
				}
			}
			// Accepted, lost, refused, released, accepted again.
			var outcomes []string
			for _, s := range told.Steps {
				if s.Who == aCitizen && s.Outcome != "" && !strings.HasPrefix(s.Outcome, "PIN") {
					outcomes = append(outcomes, s.Outcome)
				}
				if s.Rule == "" || s.At == "" {
					t.Errorf("a step without a rule or a time: %s", s.What)
				}
			}
			if want := []string{"accepted", "accepted", "suspended", "suspended", "accepted"}; !slices.Equal(outcomes, want) {
				t.Errorf("%v", outcomes)
			}
			log := string(read("apdu.log"))
			if tapped := strings.Contains(log, "INTERNAL AUTHENTICATE"); tapped != (channel == ByTap) {
				t.Errorf("the log of commands: %.200s", log)
			}
		})
	}
}

func TestTheSameJourneyGivesTheSameFiles(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if _, err := tell(t, ByTap, dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range journeyFiles {
		x, _ := os.ReadFile(filepath.Join(a, name))
		y, _ := os.ReadFile(filepath.Join(b, name))
		if len(x) == 0 || !bytes.Equal(x, y) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestAJourneyOfANamedCitizen(t *testing.T) {
	id := uint32(1_000_000) // of Seoul
	story, err := tell(t, ByCentre, "", &id)
	if err != nil {
		t.Fatal(err)
	}
	if story.Citizen != id || !strings.HasPrefix(story.Steps[0].At, "2025-03-14") {
		t.Errorf("citizen %d, from %s", story.Citizen, story.Steps[0].At)
	}
	id = 1 << 30
	if _, err := tell(t, ByCentre, "", &id); err == nil || !strings.Contains(err.Error(), "there is no citizen 1073741824") {
		t.Error(err)
	}
}

func TestAJourneyThatCannotBeWrittenLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "out")
	if err := os.WriteFile(blocked, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := tell(t, ByCentre, blocked, nil); err == nil {
		t.Error("no error")
	}
	// A name that is taken by a folder: what was written before is no whole journey.
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "journey.json", "x"), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := tell(t, ByCentre, taken, nil); err == nil {
		t.Error("no error")
	}
	for _, name := range names(t, taken) {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s was left behind", name)
		}
	}
	if _, err := tell(t, "pigeon", "", nil); err == nil || !strings.Contains(err.Error(), "write tap or centre") {
		t.Error(err)
	}
}
