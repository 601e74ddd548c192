package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/vpcd"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/demo"
)

func cardCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "card",
		Short: "The demonstration's IC cards: in a reader, or revoked",
		Args:  none,
	}
	c.AddCommand(cardServeCommand(), cardRevokeCommand())
	return c
}

// demoCAN is the card access number of the demonstration's cards, known to
// everybody as all of it is.
const demoCAN = "246813"

func cardServeCommand() *cobra.Command {
	var reader, access, root string
	var resident int
	c := &cobra.Command{
		Use:   "serve",
		Short: "Lay an IC card of the demonstration into a virtual reader of PC/SC",
		Long: `Lay the IC card of a resident of the demonstration into the virtual reader of
vsmartcard (Debian: pcscd, vsmartcard-vpcd), where every program that uses PC/SC
reads it. It stays until the command is interrupted or the reader ends.`,
		Example: `  rollcall card serve
  rollcall card serve --vpcd 127.0.0.1:35963 --access open --resident 3`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			can := demoCAN
			switch access {
			case "pace":
			case "open":
				can = ""
			default:
				return usage(fmt.Errorf("--access: %q is no way to read a card (write pace or open)", access))
			}
			if resident < 1 || resident > demo.MaxResidents {
				return usage(fmt.Errorf("--resident: there is no resident %d (write 1 to %d)", resident, demo.MaxResidents))
			}
			if _, _, err := net.SplitHostPort(reader); err != nil {
				return usage(fmt.Errorf("--vpcd: %q is no HOST:PORT", reader))
			}
			s, err := scenarios.Load("smoke", nil)
			if err != nil {
				return internal(err)
			}
			nation, err := scenarios.LoadNation()
			if err != nil {
				return internal(err)
			}
			town, err := demo.New(s, nation, resident)
			if err != nil {
				return internal(err)
			}
			r, _ := town.Resident(store.PersonID(resident))
			chip, mrz, err := town.Plastic(r, can)
			if err != nil {
				return usage(fmt.Errorf("--resident: %w", err))
			}
			if root != "" {
				if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: town.CountryCA}), 0o644); err != nil {
					return usage(fmt.Errorf("--root: %w", err))
				}
			}
			conn, err := (&net.Dialer{}).DialContext(c.Context(), "tcp", reader)
			if err != nil {
				return usage(fmt.Errorf("--vpcd: there is no virtual reader: %w (start pcscd with the driver of vsmartcard-vpcd first)", err))
			}
			defer conn.Close()
			tellCard(c.OutOrStdout(), r, chip, reader, mrz, can)
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				select {
				case <-c.Context().Done():
					conn.Close()
				case <-stop:
				}
			}()
			if err := vpcd.Serve(conn, chip, chip.ATR()); err != nil && c.Context().Err() == nil {
				return internal(err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&reader, "vpcd", "127.0.0.1:35963", "`HOST:PORT` where the virtual reader waits")
	c.Flags().StringVar(&access, "access", "pace", "`HOW` the card is read: pace (by PACE or BAC) or open (in the clear)")
	c.Flags().StringVar(&root, "root", "", "`FILE` for the certificate under which the card's files are signed (PEM)")
	c.Flags().IntVar(&resident, "resident", 1, "`N`, whose card it is; every fifth has one without a chip")
	return c
}

func cardRevokeCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "revoke",
		Short: "Have the demonstration's country revoke the signer of its IC cards",
		Long: `Put the document signer of the demonstration's IC cards on its country's list of
revoked certificates, csca.crl in the data folder of rollcall serve --demo. The
service goes by the list when it has read it again (SIGHUP, or by itself within a
minute): from then on nobody is issued a mobile card by tapping one of these cards, and
a centre issues without them. Whoever removes the file and starts the service
anew has cards that are good again.`,
		Example: `  rollcall card revoke --reason key-compromise
  kill -HUP $(pidof rollcall)`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			why, ok := keys.Reasons[reason]
			if !ok {
				return usage(fmt.Errorf("--reason: there is no reason %q (write %s)", reason, strings.Join(slices.Sorted(maps.Keys(keys.Reasons)), ", ")))
			}
			settled, err := configure(c.Flags(), os.Environ())
			if err != nil {
				return usage(err)
			}
			country, _, _, err := demo.Makers()
			if err != nil {
				return internal(err)
			}
			path, now := filepath.Join(settled.text("data"), countryListFile), time.Now()
			if _, err := os.Stat(path); err != nil {
				return usage(fmt.Errorf("there is no demonstration in %s (rollcall serve --demo makes one): %w", settled.text("data"), err))
			}
			already, err := writeCountryList(path, country, now, &x509.RevocationListEntry{SerialNumber: country.Serial(), RevocationTime: now.UTC().Truncate(time.Second), ReasonCode: int(why)})
			switch {
			case err != nil:
				return usage(err)
			case already:
				return usage(fmt.Errorf("the certificate %x stands on %s already", country.Serial(), path))
			}
			fmt.Fprintf(c.OutOrStdout(), "The certificate %x is revoked: %s.\nNow send SIGHUP to every replica.\n", country.Serial(), why)
			return nil
		},
	}
	addFlags(c.Flags(), "data")
	c.Flags().StringVar(&reason, "reason", "unspecified", "`REASON` that the list gives (RFC 5280): "+strings.Join(slices.Sorted(maps.Keys(keys.Reasons)), ", "))
	return c
}

// tellCard says what is printed on the card, and what its holder knows.
func tellCard(w io.Writer, r *demo.Resident, chip *iccard.Card, reader, mrz, can string) {
	fmt.Fprintf(w, "the card of %s lies in the reader at %s\n", r.Romanised, reader)
	fmt.Fprintf(w, "  ATR  % X\n", chip.ATR())
	for i := 0; i < len(mrz); i += 30 {
		fmt.Fprintf(w, "  MRZ  %s\n", mrz[i:i+30])
	}
	if can != "" {
		fmt.Fprintf(w, "  CAN  %s\n", can)
	}
	fmt.Fprintf(w, "  PIN  %s\n", r.PIN)
}
