package httpapi

import (
	_ "embed"
	"net/http"
)

// OpenAPI describes the routes that are not of OpenID's protocols (OpenAPI 3.0). A
// test holds it against the table, and desks' answers against it.
//
//go:embed openapi.yaml
var OpenAPI []byte

func openAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, err := w.Write(OpenAPI)
	return err
}
