package openid4vp

// Remembered counts what is remembered of transactions.
func (e *Endpoints) Remembered() (keys, answers int) {
	e.keys.Forget(func(string, answering) bool { keys++; return false })
	e.answers.Forget(func(string, given) bool { answers++; return false })
	return keys, answers
}
