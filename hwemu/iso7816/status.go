package iso7816

import "fmt"

// Instruction bytes (ISO/IEC 7816-4 table 4, 7816-8, 7816-9).
const (
	Verify                    = 0x20
	ChangeReferenceData       = 0x24
	ResetRetryCounter         = 0x2C
	ActivateFile              = 0x44
	GenerateKeyPair           = 0x46
	ManageSecurity            = 0x22
	ExternalAuthenticate      = 0x82
	GetChallenge              = 0x84
	GeneralAuthenticate       = 0x86
	InternalAuthenticate      = 0x88
	Select                    = 0xA4
	ReadBinary                = 0xB0
	ReadBinaryOdd             = 0xB1
	GetResponse               = 0xC0
	Envelope                  = 0xC3
	UpdateBinary              = 0xD6
	firstInvalidRow      byte = 0x60 // '6X' and '9X' are reserved for status words (§5.4.2)
	secondInvalidRow     byte = 0x90
)

// ValidInstruction says whether a byte may be an instruction at all.
func ValidInstruction(ins byte) bool {
	return ins&0xF0 != firstInvalidRow && ins&0xF0 != secondInvalidRow
}

// Status is a status word, SW1 and SW2 (ISO/IEC 7816-4 §5.6, tables 5 and 6).
type Status uint16

// Status words of this profile. Each as a sentence: Status.Error.
const (
	OK                      Status = 0x9000
	EndOfFile               Status = 0x6282 // warning: fewer bytes than asked for
	VerificationFailed      Status = 0x6300
	triesLeft               Status = 0x63C0
	MemoryFailure           Status = 0x6581
	WrongLength             Status = 0x6700
	ChannelNotSupported     Status = 0x6881
	SecureNotSupported      Status = 0x6882
	LastOfChainExpected     Status = 0x6883
	ChainingNotSupported    Status = 0x6884
	SecurityNotSatisfied    Status = 0x6982
	MethodBlocked           Status = 0x6983
	ConditionsNotSatisfied  Status = 0x6985
	NoCurrentFile           Status = 0x6986 // command not allowed: no current EF
	SecureObjectMissing     Status = 0x6987
	SecureObjectWrong       Status = 0x6988
	WrongData               Status = 0x6A80
	FileNotFound            Status = 0x6A82
	NotEnoughMemory         Status = 0x6A84
	WrongP1P2               Status = 0x6A86
	ReferenceNotFound       Status = 0x6A88
	OffsetOutside           Status = 0x6B00
	InstructionNotSupported Status = 0x6D00
	ClassNotSupported       Status = 0x6E00
	NoDiagnosis             Status = 0x6F00
)

var statusText = map[Status]string{
	OK:                      "done",
	EndOfFile:               "the file ended before all bytes asked for were read",
	VerificationFailed:      "verification failed",
	MemoryFailure:           "memory failure",
	WrongLength:             "wrong length",
	ChannelNotSupported:     "logical channels are not supported",
	SecureNotSupported:      "secure messaging is not supported",
	LastOfChainExpected:     "the last command of the chain was expected",
	ChainingNotSupported:    "chaining is not supported",
	SecurityNotSatisfied:    "security status not satisfied",
	MethodBlocked:           "blocked: no tries are left",
	ConditionsNotSatisfied:  "conditions of use not satisfied",
	NoCurrentFile:           "no file is selected",
	SecureObjectMissing:     "a secure messaging object is missing",
	SecureObjectWrong:       "a secure messaging object is wrong",
	WrongData:               "wrong data",
	FileNotFound:            "file or application not found",
	NotEnoughMemory:         "not enough memory in the file",
	WrongP1P2:               "wrong parameters P1-P2",
	ReferenceNotFound:       "referenced data not found",
	OffsetOutside:           "offset outside of the file",
	InstructionNotSupported: "instruction not supported",
	ClassNotSupported:       "class not supported",
	NoDiagnosis:             "no precise diagnosis",
}

// TriesLeft is the warning 63Cn: verification failed, n further tries.
func TriesLeft(n int) Status { return triesLeft | Status(min(max(n, 0), 15)) }

// Tries returns n of a warning 63Cn.
func (s Status) Tries() (n int, ok bool) { return int(s & 0xF), s&0xFFF0 == triesLeft }

// WrongExpected is the error 6Cnn: nn bytes are there, not as many as were asked
// for.
func WrongExpected(n int) Status { return 0x6C00 | Status(n&0xFF) }

// MoreData is the status 61nn: nn more bytes are there for GET RESPONSE, 00 where
// there are more than 255 (§5.3.4).
func MoreData(n int) Status {
	if n > 255 {
		n = 0
	}
	return 0x6100 | Status(n)
}

// More says whether a status is 61nn.
func (s Status) More() bool { return s&0xFF00 == 0x6100 }

// Err returns nil for OK and s otherwise.
func (s Status) Err() error {
	if s == OK {
		return nil
	}
	return s
}

// Error makes a status an error: "63C2: verification failed, 2 tries left".
func (s Status) Error() string {
	if n, ok := s.Tries(); ok {
		return fmt.Sprintf("%04X: verification failed, %d tries left", uint16(s), n)
	}
	if s.More() {
		return fmt.Sprintf("%04X: more bytes are there for GET RESPONSE", uint16(s))
	}
	if s&0xFF00 == 0x6C00 {
		return fmt.Sprintf("%04X: wrong number of bytes asked for, %d are there", uint16(s), s&0xFF)
	}
	if text, ok := statusText[s]; ok {
		return fmt.Sprintf("%04X: %s", uint16(s), text)
	}
	return fmt.Sprintf("%04X", uint16(s))
}
