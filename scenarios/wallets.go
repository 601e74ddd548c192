package scenarios

import "strconv"

// Wallet is another country's wallet, whose users the targets give by date.
type Wallet struct {
	Key, Name string
	Opened    Moment
	Campaign  Moment  // first day of a campaign; zero where none is known
	Market    float64 // million people who might use it at the most
	Source    string
	Mark      string
}

// LoadWallets reads the built-in wallets.
func LoadWallets() ([]Wallet, error) {
	const name = "wallets.csv"
	b, err := DataFile(name)
	if err != nil {
		return nil, err
	}
	t, err := parseTable(name, b, "wallet", "name", "opened", "campaign", "market_million", "source", "mark")
	if err != nil {
		return nil, err
	}
	var out []Wallet
	for t.next() {
		w := Wallet{Key: t.text(0), Name: t.text(1), Market: t.real(4), Source: t.text(5), Mark: t.text(6)}
		for _, d := range []struct {
			column int
			into   *Moment
		}{{2, &w.Opened}, {3, &w.Campaign}} {
			if t.text(d.column) == "" {
				continue
			}
			at, m := parseMoment(t.text(d.column))
			if m != nil {
				t.failf(d.column, "%v", m)
			}
			*d.into = at
		}
		if w.Opened.IsZero() {
			t.failf(2, "%s has no day of opening", strconv.Quote(w.Key))
		}
		out = append(out, w)
	}
	return out, t.err
}
