package iccard

import "rollcall.example/rollcall/hwemu/iso7816"

type handler func(*Card, iso7816.Command) iso7816.Response

// instructions is what the chip can do: where, and in which part of its life.
// Order of refusals: instruction, life, then what each handler checks: P1-P2,
// lengths, security status, content.
var instructions = map[byte]struct {
	in      []int // applications; nil: everywhere
	life    life
	guard   guard
	perform handler
}{
	iso7816.Select:               {nil, anytime, free, (*Card).selectFile},
	iso7816.ReadBinary:           {nil, anytime, free, (*Card).readBinary},
	iso7816.ReadBinaryOdd:        {nil, anytime, free, (*Card).readBinaryOdd},
	iso7816.GetChallenge:         {nil, anytime, free, (*Card).getChallenge},
	iso7816.UpdateBinary:         {nil, inPersonalisation, free, (*Card).updateBinary},
	iso7816.GenerateKeyPair:      {[]int{emrtd}, inPersonalisation, free, (*Card).generateKeyPair},
	iso7816.ActivateFile:         {nil, inPersonalisation, free, (*Card).activate},
	iso7816.Verify:               {[]int{resident}, inUse, guarded, (*Card).verify},
	iso7816.ChangeReferenceData:  {[]int{resident}, anytime, guarded, (*Card).changeReferenceData},
	iso7816.ResetRetryCounter:    {[]int{resident}, inUse, guarded, (*Card).resetRetryCounter},
	iso7816.InternalAuthenticate: {[]int{emrtd, resident}, inUse, guarded, (*Card).internalAuthenticate},
	iso7816.ManageSecurity:       {nil, inUse, opening, (*Card).manageSecurity},
	iso7816.GeneralAuthenticate:  {nil, inUse, opening, (*Card).generalAuthenticate},
	iso7816.ExternalAuthenticate: {[]int{emrtd}, inUse, opening, (*Card).externalAuthenticate},
}

// guard is what a protected chip asks for before it carries a command out.
type guard byte

const (
	free    guard = iota
	guarded       // secure messaging
	opening       // nothing; a chip that is read in the clear does not know it
)

type life byte

const (
	anytime life = iota
	inPersonalisation
	inUse
)

func answer(s iso7816.Status) iso7816.Response { return iso7816.Response{Status: s} }

// give answers with data that was asked for: 6700 if none was, 6Cnn if less was.
func give(cmd iso7816.Command, data []byte) iso7816.Response {
	switch {
	case cmd.Expected == 0:
		return answer(iso7816.WrongLength)
	case cmd.Expected < len(data):
		return answer(iso7816.WrongExpected(len(data)))
	}
	return iso7816.Response{Data: data, Status: iso7816.OK}
}

// process carries out one whole command in the clear.
func (c *Card) process(cmd iso7816.Command) iso7816.Response {
	ins, ok := instructions[cmd.Instruction]
	if !ok || !iso7816.ValidInstruction(cmd.Instruction) {
		return answer(iso7816.InstructionNotSupported)
	}
	here := ins.in == nil
	for _, a := range ins.in {
		here = here || a == c.session.application
	}
	switch {
	case !here, ins.guard == opening && !c.protected():
		return answer(iso7816.InstructionNotSupported)
	case ins.life == inPersonalisation && c.personalised(), ins.life == inUse && !c.personalised():
		return answer(iso7816.ConditionsNotSatisfied)
	case ins.guard == guarded && !c.open():
		return answer(iso7816.SecurityNotSatisfied)
	}
	// A challenge holds for the next command, a run of PACE while nothing else is
	// sent.
	if cmd.Instruction != iso7816.ExternalAuthenticate {
		c.session.challenge = nil
	}
	if cmd.Instruction != iso7816.GeneralAuthenticate {
		c.session.security = nil
	}
	return ins.perform(c, cmd)
}

// activate is ACTIVATE FILE (ISO/IEC 7816-9) for the whole chip: it ends
// personalisation, for good.
func (c *Card) activate(cmd iso7816.Command) iso7816.Response {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return answer(iso7816.WrongP1P2)
	}
	protected := c.can.value() != nil
	complete := c.key != nil && c.pin.value() != nil && c.resetCode.value() != nil && protected == (c.mrz.value() != nil) && protected == (c.chipKey != nil)
	for a := range c.files {
		for i := range c.files[a] {
			f := &c.files[a][i]
			complete = complete && (f.size > 0 || f.optional && !protected)
		}
	}
	if !complete {
		return answer(iso7816.ConditionsNotSatisfied)
	}
	c.tries.setNumber(&c.memory, maxTries)
	c.codeTries.setNumber(&c.memory, maxResetTries)
	c.active.setNumber(&c.memory, 1)
	return answer(iso7816.OK)
}
