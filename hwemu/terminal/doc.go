// Package terminal emulates the device with which an office, a bank or a hospital
// looks at mobile cards in person: it meets a phone by QR code or NFC, asks for
// elements in its own name, and fetches the answer over NFC (ISO/IEC 18013-5:2021
// §8.2, §8.3.3.1.2).
//
// It judges nothing: the response and the session in which it was given go to
// whoever verifies. Bytes and times are counted by the link, as with an IC card.
package terminal
