package mrtd

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Counters of the key derivation function (Doc 9303-11 §9.7.1).
const (
	forEncryption = 1
	forMAC        = 2
	forPassword   = 3
)

// derive is the key derivation function for 128-bit AES (§9.7.1.2) and two-key
// 3DES (§9.7.1.1) alike: SHA-1 of secret and counter.
func derive(secret []byte, counter uint32) []byte {
	sum := sha1.Sum(binary.BigEndian.AppendUint32(append([]byte(nil), secret...), counter))
	return sum[:16]
}

// withParity sets the parity bits of a DES key.
func withParity(key []byte) []byte {
	for i, b := range key {
		key[i] = b&^1 | byte(1-bits.OnesCount8(b&^1)%2)
	}
	return key
}

// MRZSecret is what a machine readable zone gives as a password: SHA-1 over
// document number, date of birth and date of expiry, each with its check digit
// (§4.3.3.2 and §9.7.3). mrz is that of a TD1 card, three lines of 30.
func MRZSecret(mrz string) ([]byte, error) {
	if len(mrz) != 90 {
		return nil, fmt.Errorf("mrtd: a machine readable zone of %d characters is not that of a card (three lines of 30)", len(mrz))
	}
	number := mrz[5:15]
	if mrz[14] == '<' { // Doc 9303-5 §4.2.2.1 note j: the number goes on in the optional data
		n := 15
		for n < 30 && mrz[n] != '<' {
			n++
		}
		number = mrz[5:14] + mrz[15:n]
	}
	sum := sha1.Sum([]byte(number + mrz[30:37] + mrz[38:45]))
	return sum[:], nil
}

// aesCBC encrypts or decrypts whole blocks.
func aesCBC(key, iv, data []byte, encrypt bool) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("mrtd: " + err.Error())
	}
	return cbc(block, iv, data, encrypt)
}

// tripleDES is two-key 3DES.
func tripleDES(key []byte) cipher.Block {
	block, err := des.NewTripleDESCipher(append(append([]byte(nil), key...), key[:8]...))
	if err != nil {
		panic("mrtd: " + err.Error())
	}
	return block
}

func cbc(block cipher.Block, iv, data []byte, encrypt bool) []byte {
	out := make([]byte, len(data))
	if encrypt {
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, data)
	} else {
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	}
	return out
}

// pad is padding method 2 of ISO/IEC 9797-1: 80 and zeros to a whole block.
func pad(data []byte, block int) []byte {
	out := append(append(make([]byte, 0, len(data)+block), data...), 0x80)
	for len(out)%block != 0 {
		out = append(out, 0)
	}
	return out
}

// unpad takes padding method 2 off again.
func unpad(data []byte) ([]byte, bool) {
	for i := len(data) - 1; i >= 0; i-- {
		switch data[i] {
		case 0:
		case 0x80:
			return data[:i], true
		default:
			return nil, false
		}
	}
	return nil, false
}

// macSize is the length of every MAC here: CMAC is cut to it (§9.8.6).
const macSize = 8

// cmac is AES-CMAC (RFC 4493, NIST SP 800-38B), whole.
func cmac(key, message []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("mrtd: " + err.Error())
	}
	double := func(in []byte) []byte {
		out := make([]byte, aes.BlockSize)
		carry := byte(0)
		for i := aes.BlockSize - 1; i >= 0; i-- {
			out[i] = in[i]<<1 | carry
			carry = in[i] >> 7
		}
		out[aes.BlockSize-1] ^= 0x87 * carry
		return out
	}
	subkey := make([]byte, aes.BlockSize)
	block.Encrypt(subkey, subkey)
	subkey = double(subkey) // K1
	n := max((len(message)+aes.BlockSize-1)/aes.BlockSize, 1)
	last := message[(n-1)*aes.BlockSize:]
	if len(last) < aes.BlockSize {
		last, subkey = pad(last, aes.BlockSize), double(subkey) // K2
	}
	mac := make([]byte, aes.BlockSize)
	step := func(b, c []byte) {
		for i := range mac {
			mac[i] ^= b[i]
			if c != nil {
				mac[i] ^= c[i]
			}
		}
		block.Encrypt(mac, mac)
	}
	for i := range n - 1 {
		step(message[i*aes.BlockSize:(i+1)*aes.BlockSize], nil)
	}
	step(last, subkey)
	return mac
}

// retailMAC is MAC algorithm 3 of ISO/IEC 9797-1 with DES over a message that is
// padded already.
func retailMAC(key, message []byte) []byte {
	single := func(k []byte) cipher.Block {
		block, err := des.NewCipher(k)
		if err != nil {
			panic("mrtd: " + err.Error())
		}
		return block
	}
	a, b := single(key[:8]), single(key[8:16])
	mac := make([]byte, des.BlockSize)
	for len(message) > 0 {
		for i := range mac {
			mac[i] ^= message[i]
		}
		a.Encrypt(mac, mac)
		message = message[des.BlockSize:]
	}
	b.Decrypt(mac, mac)
	a.Encrypt(mac, mac)
	return mac
}
