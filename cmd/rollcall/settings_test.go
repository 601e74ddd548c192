package main

import (
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

func TestAVariableThatIsNearlyASettingIsTakenForOne(t *testing.T) {
	for name, want := range map[string]string{
		"ROLLCALL_DATABSE": "ROLLCALL_DATABASE", "ROLLCALL_database": "ROLLCALL_DATABASE", "ROLLCALL_PASSPHRASE_FLIE": "ROLLCALL_PASSPHRASE_FILE", "ROLLCALL_PASPHRASE": "ROLLCALL_PASSPHRASE",
		"ROLLCALL_DTA": "ROLLCALL_DATA", "ROLLCALL_CONFG": "ROLLCALL_CONFIG", "ROLLCALL_PKCS11_PINN": "ROLLCALL_PKCS11_PIN", "ROLLCALL_PUBLICURL": "ROLLCALL_PUBLIC_URL",
		// Read, by whatever command, or nobody's name.
		"ROLLCALL_DATABASE": "", "ROLLCALL_CONFIG": "", "ROLLCALL_PKCS11_PIN": "", "ROLLCALL_HOME": "", "ROLLCALL_VERSION": "", "ROLLCALL_": "",
		// Of tests and of readers, which may be set where a service is started.
		"ROLLCALL_POSTGRES": "", "ROLLCALL_POSTGRES_DIR": "", "ROLLCALL_CAMPAIGN": "", "ROLLCALL_MESSAGES": "", "ROLLCALL_SAMPLE": "", "ROLLCALL_REPORTS": "", "ROLLCALL_THEIRS": "",
		"ROLLCALL_SERVICE": "", "ROLLCALL_TRUSTED": "", "ROLLCALL_VERIFIER": "", "ROLLCALL_TRACE": "", "ROLLCALL_FINDINGS": "", "ROLLCALL_WRITE_SPECIMEN": "",
	} {
		if got := misspelt(name); got != want {
			t.Errorf("%s is taken for %q, not %q", name, got, want)
		}
	}
	for _, s := range settings {
		if got := misspelt(s.variable()); got != "" {
			t.Errorf("%s is taken for %s", s.variable(), got)
		}
	}
}

// In Kubernetes a service named rollcall puts its addresses into every container beside it.
func TestWhatKubernetesSaysOfAServiceIsNoSetting(t *testing.T) {
	environ := []string{
		"ROLLCALL_SERVICE_HOST=10.96.0.7", "ROLLCALL_SERVICE_PORT=8443", "ROLLCALL_SERVICE_PORT_HTTPS=8443", "ROLLCALL_PORT=tcp://10.96.0.7:8443",
		"ROLLCALL_PORT_8443_TCP=tcp://10.96.0.7:8443", "ROLLCALL_PORT_8443_TCP_PROTO=tcp", "ROLLCALL_PORT_8443_TCP_PORT=8443", "ROLLCALL_PORT_8443_TCP_ADDR=10.96.0.7",
		"PATH=/bin", "ROLLCALL_EMPTY=", "ROLLCALL_DATABSE=",
	}
	if got := unread(environ); got != nil {
		t.Errorf("%q", got)
	}
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	addFlags(f)
	if _, err := configure(f, environ); err != nil {
		t.Error(err)
	}
	if got := unread(append(environ, "ROLLCALL_PORTAL=x", "ROLLCALL_HOME=/opt", "ROLLCALL_COPIES=3")); !slices.Equal(got, []string{"ROLLCALL_HOME", "ROLLCALL_PORTAL"}) {
		t.Errorf("%q", got)
	}
}
