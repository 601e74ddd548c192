package httpapi

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
)

// OpenID's protocols have documents of their own, and so has this document.
func described(path string) bool {
	return !slices.ContainsFunc([]string{"/.well-known/", "/oauth/", "/vci/", "/vp/request/", "/vp/response/", "/openapi.yaml", "/console"}, func(prefix string) bool {
		return strings.HasPrefix(path, prefix)
	})
}

func TestTheDocumentDescribesTheTable(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	inTable := map[string]Route{}
	for _, r := range (&API{}).table() {
		if described(r.Path) && r.Path != "/{$}" {
			inTable[r.Method+" "+r.Path] = r
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			r, ok := inTable[method+" "+path]
			if !ok {
				t.Errorf("%s %s is described and does not exist", method, path)
				continue
			}
			delete(inTable, method+" "+path)
			if op.OperationID != r.Name {
				t.Errorf("%s %s is called %q in the document and %q in the table", method, path, op.OperationID, r.Name)
			}
			if (op.RequestBody != nil) != (r.Body > 0) {
				t.Errorf("%s: document and table differ on whether it has a body", r.Name)
			}
			if r.Roles != anyone && op.Responses.Default() == nil {
				t.Errorf("%s: the document does not say how it is refused", r.Name)
			}
			if open := op.Security != nil && len(*op.Security) == 0; open != (r.Roles == anyone) {
				t.Errorf("%s: open to anyone in the document: %v, in the table: %v", r.Name, open, r.Roles)
			}
		}
	}
	for route := range inTable {
		t.Errorf("%s is not described", route)
	}
}

// What desks and verifiers are answered is in the document, and nothing else is.
func TestTheDocumentDescribesWhatIsAnswered(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string]reflect.Type{"Resident": reflect.TypeFor[desk.Resident](), "State": reflect.TypeFor[desk.State]()} {
		same(t, name, doc.Components.Schemas[name].Value, kept)
	}
	same(t, "Receipt", doc.Components.Responses["Receipt"].Value.Content["application/json"].Schema.Value, reflect.TypeFor[desk.Receipt]())
	list := doc.Paths.Value("/residents/{id}/reports").Get.Responses.Value("200").Value.Content["application/json"].Schema.Value
	same(t, "Report", list.Properties["reports"].Value.Items.Value, reflect.TypeFor[desk.Report]())
	same(t, "Profile", doc.Components.Schemas["Profile"].Value, reflect.TypeFor[parties.Profile]())
	same(t, "Begun", doc.Paths.Value("/vp/transactions").Post.Responses.Value("201").Value.Content["application/json"].Schema.Value, reflect.TypeFor[openid4vp.Begun]())
	outcome := doc.Paths.Value("/vp/transactions/{id}").Get.Responses.Value("200").Value.Content["application/json"].Schema.Value
	same(t, "Outcome", outcome, reflect.TypeFor[openid4vp.Outcome]())
	same(t, "Credential", outcome.Properties["credentials"].Value.Items.Value, reflect.TypeFor[openid4vp.Credential]())
	same(t, "Scan", doc.Paths.Value("/residents/{id}/offers").Post.Responses.Value("201").Value.Content["application/json"].Schema.Value, reflect.TypeFor[desk.Scan]())
}

// same compares a schema with the struct that is written so.
func same(t *testing.T, name string, described *openapi3.Schema, kept reflect.Type) {
	t.Helper()
	left := maps.Clone(described.Properties)
	for i := range kept.NumField() {
		field, optional, _ := strings.Cut(kept.Field(i).Tag.Get("json"), ",")
		if field == "-" {
			continue
		}
		if left[field] == nil {
			t.Errorf("%s: %q is not described", name, field)
		}
		if slices.Contains(described.Required, field) == (optional != "") {
			t.Errorf("%s: whether %q is always there", name, field)
		}
		delete(left, field)
	}
	for field := range left {
		t.Errorf("%s: %q is described and does not exist", name, field)
	}
}

// What an entry of the audit log may hold is in the document, and nothing else is.
func TestTheDocumentDescribesTheAuditLog(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string]reflect.Type{
		"AuditLine": reflect.TypeFor[audit.Line](), "AuditEntry": reflect.TypeFor[audit.Entry](), "AuditState": reflect.TypeFor[audit.State](), "AuditList": reflect.TypeFor[audit.List](),
	} {
		described := doc.Components.Schemas[name].Value
		for i := range kept.NumField() {
			field, optional, _ := strings.Cut(kept.Field(i).Tag.Get("json"), ",")
			if described.Properties[field] == nil {
				t.Errorf("%s: %q is not described", name, field)
			}
			if name != "AuditState" && slices.Contains(described.Required, field) == (optional != "") {
				t.Errorf("%s: whether %q is always there", name, field)
			}
			delete(described.Properties, field)
		}
		for field := range described.Properties {
			t.Errorf("%s: %q is described and does not exist", name, field)
		}
	}
	events := doc.Components.Schemas["AuditEvent"].Value.Enum
	for e := range lifecycle.Event(lifecycle.NumEvents) {
		if !slices.Contains(events, any(e.String())) {
			t.Errorf("event %s is not described", e)
		}
	}
	if !slices.Contains(events, any("certificate-revoked")) {
		t.Error("revocations are not described")
	}
}
