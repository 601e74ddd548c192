// Package iso7816 speaks the language of smart cards: command and response
// APDUs with short and extended length, command chaining, status words and
// BER-TLV data objects (ISO/IEC 7816-4:2020 §5.2 to §5.6, §6; ISO/IEC 8825-1 for
// the basic encoding rules). It knows bytes only, no application and no card.
//
// Everything that arrives from outside is parsed with limits on size, count and
// depth: see MaxCommand, MaxObject, MaxObjects and MaxDepth.
//
// Secure messaging (§10) is not here yet. Its place is between ParseCommand and
// the application: it unwraps a Command and wraps a Response, and neither type
// will change for it.
package iso7816
