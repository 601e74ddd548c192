package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reference/keys"
)

// openElsewhere opens keys that lie in hardware; nil where the program was built
// without.
var openElsewhere keys.Opener

func privateKey(secret []byte) (*ecdsa.PrivateKey, error) {
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
}

func keysCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "keys",
		Short: "List, rotate and revoke the keys of the service",
		Long: `List, rotate and revoke the keys of rollcall serve. A key is rotated in two steps,
and nobody notices: the next one is put into the file, to take over in a while
(keys rotate); every replica reads the file again (SIGHUP). What the one before
has signed stays good. It does not if its certificate is revoked (keys revoke).`,
	}
	c.AddCommand(keysListCommand(), keysRotateCommand(), keysRevokeCommand())
	return c
}

var keySettings = []string{"data", "passphrase-file"}

func keysListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys, none of them shown",
		Args:  none,
		RunE: func(c *cobra.Command, _ []string) error {
			path, lock, err := keysPlace(c)
			if err != nil {
				return usage(err)
			}
			all, err := keys.Read(path, lock)
			if err != nil {
				return usage(err)
			}
			for _, k := range all {
				fmt.Fprintf(c.OutOrStdout(), "%-10s %s  from %s", k.Use, k.ID(), k.From.Format(time.RFC3339))
				if k.Certificate != nil {
					leaf, err := k.Leaf()
					if err != nil {
						return internal(err)
					}
					fmt.Fprintf(c.OutOrStdout(), "  certificate %x until %s  %s", leaf.SerialNumber, leaf.NotAfter.Format(time.DateOnly), leaf.Subject.CommonName)
					if r, ok := keys.RevokedBy(all, k); ok {
						fmt.Fprintf(c.OutOrStdout(), "  revoked %s: %s", r.At.Format(time.RFC3339), r.Reason)
					}
				}
				if k.Elsewhere != "" {
					fmt.Fprintf(c.OutOrStdout(), "  %s", k.Elsewhere)
				}
				fmt.Fprintln(c.OutOrStdout())
			}
			return nil
		},
	}
	addFlags(c.Flags(), keySettings...)
	return c
}

func keysRotateCommand() *cobra.Command {
	var in time.Duration
	var elsewhere string
	c := &cobra.Command{
		Use:     "rotate USE",
		Short:   "Add the next key of a use",
		Example: "  rollcall keys rotate document --in 1h\n  kill -HUP $(pidof rollcall)",
		Args:    one("use of a key, such as document, status, tls or seal"),
		RunE: func(c *cobra.Command, args []string) error {
			all, path, lock, done, err := readKeysToChange(c)
			if err != nil {
				return usage(err)
			}
			defer done()
			if in < 0 {
				return usage(fmt.Errorf("--in: a key cannot take over in the past"))
			}
			use, now := keys.Use(args[0]), time.Now()
			m, err := keys.Like(all, use, chance)
			if err != nil {
				return usage(err)
			}
			m.Elsewhere, m.Open = elsewhere, openElsewhere
			if all, err = m.Rotate(all, use, now, now.Add(in)); err != nil {
				return usage(err)
			}
			if err := keys.Write(path, lock, all, chance, false); err != nil {
				return internal(err)
			}
			next := all[len(all)-1]
			fmt.Fprintf(c.OutOrStdout(), "%s %s takes over at %s. Now send SIGHUP to every replica.\n", use, next.ID(), next.From.Format(time.RFC3339))
			return nil
		},
	}
	addFlags(c.Flags(), keySettings...)
	c.Flags().DurationVar(&in, "in", 10*time.Minute, "`TIME` until it takes over: until then every replica must have read it")
	c.Flags().StringVar(&elsewhere, "elsewhere", "", "`URI` of a key that lies in hardware (pkcs11:token=...;object=...?module-path=...); its PIN is in ROLLCALL_PKCS11_PIN")
	return c
}

func keysRevokeCommand() *cobra.Command {
	var party, name, reason string
	c := &cobra.Command{
		Use:   "revoke NUMBER|KEY",
		Short: "Revoke a certificate of a document signer, a status list signer or a verifier",
		Long: `Revoke the certificate of a document signer or a status list signer, by its serial
number or its key (both stand in rollcall keys list), or the one with which
requests of a verifier are signed, by its serial number or by --party and --name. The
list of revoked certificates names it as soon as the service has read its keys
again (SIGHUP, or by itself within a minute).

What it has signed is refused from then on, cards too: those who hold them must be issued
new ones. If it signs now, the next signer is made and takes over at once. A
verifier whose certificate was revoked can ask for nothing until the key of all verifiers
is another one (rollcall keys rotate verifier).`,
		Example: `  rollcall keys revoke 3f0c51aa --reason key-compromise
  rollcall keys revoke --party first-bank --name "First Bank" --reason cessation-of-operation
  kill -HUP $(pidof rollcall)`,
		Args: func(c *cobra.Command, args []string) error {
			if party == "" && name == "" {
				return one("serial number of a certificate, or ID of its key")(c, args)
			}
			if party == "" || name == "" {
				return usage(fmt.Errorf("--party and --name belong together: both stand in a verifier's certificate"))
			}
			return none(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			why, ok := keys.Reasons[reason]
			if !ok {
				return usage(fmt.Errorf("--reason: there is no reason %q (write %s)", reason, strings.Join(slices.Sorted(maps.Keys(keys.Reasons)), ", ")))
			}
			all, path, lock, done, err := readKeysToChange(c)
			if err != nil {
				return usage(err)
			}
			defer done()
			now := time.Now()
			what := ""
			if party != "" {
				if what, err = keys.ReaderNumber(all, party, name, now); err != nil {
					return usage(err)
				}
			} else {
				what = args[0]
			}
			m, err := keys.Like(all, keys.Document, chance)
			if err != nil {
				return usage(err)
			}
			before := len(all)
			all, revoked, err := m.Revoke(all, what, why, now)
			if err != nil {
				return usage(err)
			}
			if err := keys.Write(path, lock, all, chance, false); err != nil {
				return internal(err)
			}
			fmt.Fprintf(c.OutOrStdout(), "The certificate %s is revoked: %s.\n", revoked.Serial, revoked.Reason)
			if party != "" {
				fmt.Fprintf(c.OutOrStdout(), "It is that of the requests of %s by the name %q, if a verifier is entered so: until it asks again, and is refused, that is not seen.\n", party, name)
			}
			for _, next := range all[before:] {
				fmt.Fprintf(c.OutOrStdout(), "%s %s takes over.\n", next.Use, next.ID())
			}
			fmt.Fprintln(c.OutOrStdout(), "Now send SIGHUP to every replica.")
			return nil
		},
	}
	addFlags(c.Flags(), keySettings...)
	c.Flags().StringVar(&reason, "reason", "unspecified", "`REASON` that the list gives (RFC 5280): "+strings.Join(slices.Sorted(maps.Keys(keys.Reasons)), ", "))
	c.Flags().StringVar(&party, "party", "", "`ID` of the verifier whose certificate is revoked")
	c.Flags().StringVar(&name, "name", "", "`NAME` of this verifier, as it was entered")
	return c
}

// keysPlace is where the keys lie, and with what they are locked.
func keysPlace(c *cobra.Command) (string, keys.Lock, error) {
	settled, err := configure(c.Flags(), os.Environ())
	if err != nil {
		return "", keys.Lock{}, err
	}
	lock, err := settled.lock()
	return filepath.Join(settled.text("data"), keysFile), lock, err
}

// readKeysToChange reads the keys. Whoever else wants to change them waits until it is done:
// of two who had read the same, one's change would be lost, and be it a revocation.
func readKeysToChange(c *cobra.Command) (all []keys.Key, path string, lock keys.Lock, done func(), err error) {
	if path, lock, err = keysPlace(c); err != nil {
		return nil, "", lock, nil, err
	}
	if _, err = os.Stat(path); err == nil {
		if done, err = turn(path); err != nil {
			return nil, "", lock, nil, err
		}
	} else {
		done = func() {} // Read says why
	}
	if all, err = keys.Read(path, lock); err != nil {
		done()
	}
	return all, path, lock, done, err
}
