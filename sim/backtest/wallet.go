package backtest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

// curves fits the wallets whose users the targets give and answers those targets by
// the fit. A wallet that has fewer figures than the law has parameters is fitted by
// the plain law alone.
func curves(targets []scenarios.Target, answers []answer) ([]reports.BacktestCurve, error) {
	wallets, err := scenarios.LoadWallets()
	if err != nil {
		return nil, err
	}
	var out []reports.BacktestCurve
	for _, w := range wallets {
		var points []point
		for i := range targets {
			if t := &targets[i]; t.Run == "curve" && t.Measure == w.Key {
				points = append(points, point{i, t.Date.Sub(w.Opened.Time).Hours() / 24, t.Value})
			}
		}
		if len(points) == 0 {
			continue
		}
		c, fit, why := fitWallet(&w, points)
		if why != "" {
			for _, q := range points {
				answers[q.target].why = why
			}
			continue
		}
		for k, q := range points {
			answers[q.target].values = []float64{fit[k]}
			c.Points[k].Date = targets[q.target].Date.Format(time.DateOnly)
		}
		out = append(out, c)
	}
	for i := range targets {
		if targets[i].Run == "curve" && len(answers[i].values) == 0 {
			answers[i].why = cmp.Or(answers[i].why, fmt.Sprintf("there is no wallet %q in wallets.csv", targets[i].Measure))
		}
	}
	return out, nil
}

// point is a published number of users.
type point struct {
	target   int
	days     float64 // since the wallet opened
	millions float64
}

func fitWallet(w *scenarios.Wallet, points []point) (c reports.BacktestCurve, fit []float64, why string) {
	campaign := 0.0
	if !w.Campaign.IsZero() {
		campaign = w.Campaign.Sub(w.Opened.Time).Hours() / 24
	}
	laws := []law{plainBass(w.Market), pulseBass(w.Market)}
	if campaign > 0 {
		laws = append(laws, pulseBassCampaign(w.Market, campaign))
	}
	laws = slices.DeleteFunc(laws, func(l law) bool { return len(l.terms) > len(points) })
	c = reports.BacktestCurve{Wallet: w.Name, Opened: w.Opened.Format(time.DateOnly), Source: w.Source, Unit: "million users"}
	if len(laws) == 0 {
		return c, nil, fmt.Sprintf("%d figures are too few for a curve of %d parameters", len(points), len(plainBass(1).terms))
	}
	last := 0.0
	for _, q := range points {
		last = max(last, q.days)
		c.Points = append(c.Points, reports.BacktestPoint{Days: reports.Num(q.days), Published: reports.Num(q.millions)})
	}
	for _, l := range laws {
		p, rmse := l.fit(points)
		f := reports.BacktestFit{Law: l.name, RMSE: reports.Num(rmse), Figures: len(points), Parameters: l.parameters(p)}
		fit = fit[:0]
		for _, q := range points {
			fit = append(fit, l.at(p, q.days))
			f.Residuals = append(f.Residuals, reports.Num(l.at(p, q.days)-q.millions))
		}
		const steps = 120
		for i := range steps + 1 {
			t := last * float64(i) / steps
			f.Line = append(f.Line, [2]reports.Num{reports.Num(t), reports.Num(l.at(p, t))})
		}
		c.Fits = append(c.Fits, f)
	}
	return c, fit, ""
}
