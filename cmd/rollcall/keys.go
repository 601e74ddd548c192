package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"os"
	"path/filepath"
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
		Short: "List and rotate the keys of the service",
		Long: `List and rotate the keys of rollcall serve. A key is rotated in two steps, and
nobody notices: the next one is put into the file, to take over in a while
(keys rotate); every replica reads the file again (SIGHUP). What the one before
has signed stays good.`,
	}
	c.AddCommand(keysListCommand(), keysRotateCommand())
	return c
}

var keySettings = []string{"data", "passphrase-file"}

func keysListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the keys, none of them shown",
		Args:  none,
		RunE: func(c *cobra.Command, _ []string) error {
			all, _, _, err := readKeys(c)
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
					fmt.Fprintf(c.OutOrStdout(), "  certificate until %s  %s", leaf.NotAfter.Format(time.DateOnly), leaf.Subject.CommonName)
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
			all, path, lock, err := readKeys(c)
			if err != nil {
				return usage(err)
			}
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

func readKeys(c *cobra.Command) ([]keys.Key, string, keys.Lock, error) {
	settled, err := configure(c.Flags(), os.LookupEnv)
	if err != nil {
		return nil, "", keys.Lock{}, err
	}
	lock, err := settled.lock()
	if err != nil {
		return nil, "", lock, err
	}
	path := filepath.Join(settled.text("data"), keysFile)
	all, err := keys.Read(path, lock)
	return all, path, lock, err
}
