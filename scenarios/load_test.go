package scenarios

import "testing"

func TestEveryBuiltInScenarioLoads(t *testing.T) {
	for _, name := range builtInNames() {
		s, err := Load(name, nil)
		if err != nil {
			t.Errorf("%s:\n%v", name, err)
			continue
		}
		if s.Name != name || s.Title == "" || s.Description == "" || len(s.Expect) == 0 {
			t.Errorf("%s: name %q, title %q, %d expectations", name, s.Name, s.Title, len(s.Expect))
		}
	}
}
