package des_test

import (
	"fmt"
	"math/rand/v2"

	"rollcall.example/rollcall/sim/des"
)

// A queue before three clerks, M/M/3: somebody comes every minute on average,
// a clerk needs two.
func Example() {
	env, rnd, wait := des.New(), rand.New(rand.NewPCG(1, 1)), des.Tally{}
	exp := func(mean float64) des.Time { return des.Time(rnd.ExpFloat64() * mean) }
	clerks := env.NewResource(3)
	env.Go(func(street *des.Proc) {
		for range 200_000 {
			street.Wait(exp(60_000)) // milliseconds
			came := env.Now()
			env.Go(func(customer *des.Proc) {
				clerks.Request(customer)
				wait.Add(float64(env.Now()-came) / 1000)
				customer.Wait(exp(120_000))
				clerks.Release()
			})
		}
	})
	env.Run(des.Forever)
	theory := erlangC(3, 2) * 120 / (3 - 2)
	fmt.Printf("mean wait %.0f s, by Erlang C %.0f s\n", wait.Mean(), theory)
	fmt.Printf("waiting on average %.2f, by Little's law %.2f\n", clerks.Queue.Mean(), wait.Mean()/60)
	// Output:
	// mean wait 53 s, by Erlang C 53 s
	// waiting on average 0.88, by Little's law 0.88
}

// erlangC is the probability of waiting before c servers under a load of a
// erlangs.
func erlangC(c int, a float64) float64 {
	b := 1.0 // Erlang B, by recursion
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	rho := a / float64(c)
	return b / (1 - rho*(1-b))
}
