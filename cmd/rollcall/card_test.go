package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
)

// A virtual reader as vpcd is one: it waits for a card, powers it, and sends what
// a program sends.
func TestACardLiesInAVirtualReader(t *testing.T) {
	reader, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for access, wanted := range map[string]string{
		// EF.CardAccess by its short identifier; EF.COM of the eMRTD application.
		"pace": "3128301206 6982",
		"open": "6a82 60195f01",
	} {
		var said, complained bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			ended <- Main(t.Context(), []string{"card", "serve", "--vpcd", reader.Addr().String(), "--access", access}, &said, &complained)
		}()
		conn, err := reader.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ask := func(frame string) string {
			raw, err := hex.DecodeString(frame)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(append([]byte{0, byte(len(raw))}, raw...)); err != nil {
				t.Fatal(err)
			}
			if len(raw) == 1 && raw[0] != 4 {
				return ""
			}
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, int(length[0])<<8|int(length[1]))
			if _, err := io.ReadFull(conn, answer); err != nil {
				t.Fatal(err)
			}
			return hex.EncodeToString(answer)
		}
		ask("01")
		if atr := ask("04"); atr != "3b878001"+"8031b8739401e0"+"09" {
			t.Errorf("%s: the reader is told %s", access, atr)
		}
		first := ask("00b09c0000")
		ask("00a4040c07a0000002471001")
		second := ask("00b09e0004")
		for i, got := range []string{first, second} {
			if want := strings.Fields(wanted)[i]; !strings.HasPrefix(got, want) {
				t.Errorf("%s: answer %d is %s, want %s", access, i+1, got, want)
			}
		}
		conn.Close()
		if code := <-ended; code != 0 || complained.Len() > 0 || !strings.Contains(said.String(), "MRZ  I<KOR") || strings.Contains(said.String(), "CAN") == (access == "open") {
			t.Errorf("%s: exit code %d, %s%s", access, code, said.String(), complained.String())
		}
	}
}
