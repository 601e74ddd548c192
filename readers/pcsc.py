#!/usr/bin/python3
"""Reads an emulated IC card through PC/SC, as an inspection system would, with
nothing of ours: pyscard carries the commands, python3-cryptography has the
ciphers, and the protocols are written here from ICAO Doc 9303-11 once more (curves
over whole numbers, so that points can be added).

    pcsc.py CAN PIN MRZ OUT   PACE with the CAN on both curves and with MRZ and
                              PIN, chip authentication, active authentication, BAC;
                              EF.SOD and EF.CardSecurity go to the folder OUT for
                              OpenSSL
"""
import hashlib
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from smartcard.System import readers

passed = 0


def check(what, holds):
    global passed
    if not holds:
        sys.exit(f"FAILED: {what}")
    passed += 1
    print("ok", what)


# Curves: p, a, b, G, n (FIPS 186, RFC 5639).
CURVES = {
    12: (0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF, -3,
         0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
         (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
          0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5),
         0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    13: (0xA9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377,
         0x7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9,
         0x26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6,
         (0x8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262,
          0x547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997),
         0xA9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7),
}


def add(curve, p, q):
    m, a = curve[0], curve[1]
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % m == 0:
            return None
        slope = (3 * p[0] * p[0] + a) * pow(2 * p[1], -1, m) % m
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, m) % m
    x = (slope * slope - p[0] - q[0]) % m
    return x, (slope * (p[0] - x) - p[1]) % m


def times(curve, k, p):
    r = None
    while k:
        if k & 1:
            r = add(curve, r, p)
        p, k = add(curve, p, p), k >> 1
    return r


def encode(p):
    return b"\x04" + p[0].to_bytes(32, "big") + p[1].to_bytes(32, "big")


def decode(curve, b):
    x, y = int.from_bytes(b[1:33], "big"), int.from_bytes(b[33:], "big")
    assert len(b) == 65 and b[0] == 4 and (y * y - x * x * x - curve[1] * x - curve[2]) % curve[0] == 0
    return x, y


def secret(curve):
    return 1 + int.from_bytes(os.urandom(40), "big") % (curve[4] - 1)


def tlv(tag, value):
    n = len(value)
    length = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b"\x82" + n.to_bytes(2, "big")
    return bytes.fromhex(f"{tag:02X}") + length + value


def split(b):
    """The first object of b: tag, value, rest."""
    n = 1
    if b[0] & 0x1F == 0x1F:
        while b[n] & 0x80:
            n += 1
        n += 1
    tag, length = int.from_bytes(b[:n], "big"), b[n]
    n += 1
    if length & 0x80:
        k = length & 0x7F
        length, n = int.from_bytes(b[n:n + k], "big"), n + k
    return tag, b[n:n + length], b[n + length:]


def derive(k, counter):
    return hashlib.sha1(k + counter.to_bytes(4, "big")).digest()[:16]


def cbc(algorithm, iv, data, decrypt=False):
    c = Cipher(algorithm, modes.CBC(iv))
    c = c.decryptor() if decrypt else c.encryptor()
    return c.update(data) + c.finalize()


def pad(b, n):
    b += b"\x80"
    return b + bytes(-len(b) % n)


def unpad(b):
    b = b.rstrip(b"\0")
    assert b[-1:] == b"\x80"
    return b[:-1]


def aes_mac(key, m):
    c = CMAC(algorithms.AES(key))
    c.update(m)
    return c.finalize()[:8]


def retail_mac(key, m):
    """ISO/IEC 9797-1 algorithm 3: single DES is 3DES with three equal keys."""
    a, b = key[:8], key[8:]
    first = cbc(algorithms.TripleDES(a * 3), bytes(8), m)[-8:]
    last = Cipher(algorithms.TripleDES(b * 3), modes.ECB()).decryptor().update(first)
    return Cipher(algorithms.TripleDES(a * 3), modes.ECB()).encryptor().update(last)


class Channel:
    def __init__(self, aes, enc, mac, counter):
        self.aes, self.enc, self.mac, self.counter, self.block = aes, enc, mac, counter, 16 if aes else 8

    def next(self):
        self.counter += 1
        return self.counter.to_bytes(self.block, "big")

    def crypt(self, ssc, data, decrypt=False):
        if not self.aes:
            return cbc(algorithms.TripleDES(self.enc + self.enc[:8]), bytes(8), data, decrypt)
        iv = Cipher(algorithms.AES(self.enc), modes.ECB()).encryptor().update(ssc)
        return cbc(algorithms.AES(self.enc), iv, data, decrypt)

    def cc(self, m):
        return aes_mac(self.mac, m) if self.aes else retail_mac(self.mac, m)


class Card:
    def __init__(self):
        self.connection = next(r for r in readers() if self.there(r)).createConnection()
        self.connection.connect()
        self.channel = None

    @staticmethod
    def there(reader):
        try:
            c = reader.createConnection()
            c.connect()
            c.disconnect()
            return True
        except Exception:
            return False

    def fresh(self):
        """The card leaves the field and comes back."""
        self.connection.disconnect()
        self.connection.connect()
        self.channel = None

    def raw(self, command):
        data, sw1, sw2 = self.connection.transmit(list(command))
        return bytes(data), sw1 << 8 | sw2

    def send(self, cla, ins, p1, p2, data=b"", le=None, want=0x9000):
        if self.channel is None:
            body = (bytes([len(data)]) + data if data else b"") + (b"" if le is None else bytes([le & 0xFF]))
            answer, sw = self.raw(bytes([cla, ins, p1, p2]) + body)
        else:
            answer, sw = self.sealed(cla, ins, p1, p2, data, le)
        assert want is None or sw == want, f"{ins:02X} {p1:02X}{p2:02X}: {sw:04X}"
        self.sw = sw
        return answer

    def sealed(self, cla, ins, p1, p2, data, le):
        c = self.channel
        ssc = c.next()
        header = bytes([cla | 0x0C, ins, p1, p2])
        objects = b""
        if data:
            cryptogram = c.crypt(ssc, pad(data, c.block))
            objects += tlv(0x85, cryptogram) if ins & 1 else tlv(0x87, b"\x01" + cryptogram)
        if le is not None:
            objects += tlv(0x97, bytes([le & 0xFF]))
        m = ssc + pad(header, c.block) + (pad(objects, c.block) if objects else b"")
        objects += tlv(0x8E, c.cc(m))
        answer, sw = self.raw(header + bytes([len(objects)]) + objects + b"\0")
        if not answer:
            return b"", sw
        ssc, plain, signed, inner, mac = c.next(), b"", b"", None, None
        while answer:
            tag, value, rest = split(answer)
            if tag == 0x8E:
                mac = value
            else:
                signed += answer[:len(answer) - len(rest)]
            if tag in (0x85, 0x87):
                plain = unpad(c.crypt(ssc, value[1:] if tag == 0x87 else value, True))
            if tag == 0x99:
                inner = int.from_bytes(value, "big")
            answer = rest
        assert mac == c.cc(ssc + pad(signed, c.block)) and inner == sw
        return plain, sw

    def select(self, aid):
        self.send(0, 0xA4, 4, 0x0C, bytes.fromhex(aid))

    def read(self, sfi, most=0xDF):
        content = self.send(0, 0xB0, 0x80 | sfi, 0, le=8)
        _, value, rest = split(content + bytes(1 << 16))
        total = len(content) + (1 << 16) - len(rest)
        while len(content) < total:
            n = min(most, total - len(content))
            content += self.send(0, 0xB0, len(content) >> 8, len(content) & 0xFF, le=n)
        return content

    def general(self, cla, inner):
        answer = self.send(cla, 0x86, 0, 0, tlv(0x7C, inner), 0)
        value = split(answer)[1]
        return split(value)[1] if value else b""

    def pace(self, parameters, password, key):
        oid = bytes.fromhex("04007F00070202040202")
        curve = CURVES[parameters]
        self.send(0, 0x22, 0xC1, 0xA4, tlv(0x80, oid) + bytes([0x83, 1, password, 0x84, 1, parameters]))
        s = int.from_bytes(cbc(algorithms.AES(derive(key, 3)), bytes(16), self.general(0x10, b""), True), "big")
        mine = secret(curve)
        peer = decode(curve, self.general(0x10, tlv(0x81, encode(times(curve, mine, curve[3])))))
        g = add(curve, times(curve, s, curve[3]), times(curve, mine, peer))
        mine = secret(curve)
        own = times(curve, mine, g)
        peer = decode(curve, self.general(0x10, tlv(0x83, encode(own))))
        shared = times(curve, mine, peer)[0].to_bytes(32, "big")
        enc, mac = derive(shared, 1), derive(shared, 2)
        token = lambda p: aes_mac(mac, tlv(0x7F49, tlv(6, oid) + tlv(0x86, encode(p))))
        assert self.general(0, tlv(0x85, token(peer))) == token(own), "the chip does not know the password"
        self.channel = Channel(True, enc, mac, 0)

    def chip(self, dg14):
        """Chip authentication with the key of DG14."""
        infos = split(split(dg14)[1])[1]
        public = None
        while infos:
            _, info, infos = split(infos)
            _, oid, rest = split(info)
            if oid == bytes.fromhex("04007F000702020102"):
                public = serialization.load_der_public_key(rest)
        fresh = ec.generate_private_key(ec.SECP256R1())
        point = fresh.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        self.send(0, 0x22, 0x41, 0xA4, tlv(0x80, bytes.fromhex("04007F00070202030202")))
        self.general(0, tlv(0x80, point))
        shared = fresh.exchange(ec.ECDH(), public)
        self.channel = Channel(True, derive(shared, 1), derive(shared, 2), 0)

    def bac(self, key):
        enc, mac = derive(key[:16], 1), derive(key[:16], 2)
        ic, ifd, k = self.send(0, 0x84, 0, 0, le=8), os.urandom(8), os.urandom(16)
        e = cbc(algorithms.TripleDES(enc + enc[:8]), bytes(8), ifd + ic + k)
        answer = self.send(0, 0x82, 0, 0, e + retail_mac(mac, pad(e, 8)), 0x28)
        assert retail_mac(mac, pad(answer[:32], 8)) == answer[32:]
        r = cbc(algorithms.TripleDES(enc + enc[:8]), bytes(8), answer[:32], True)
        assert r[:8] == ic and r[8:16] == ifd
        seed = bytes(a ^ b for a, b in zip(k, r[16:]))
        self.channel = Channel(False, derive(seed, 1), derive(seed, 2), int.from_bytes(ic[4:] + ifd[4:], "big"))


EMRTD, RESIDENT = "A0000002471001", "F0524F4C4C43414C4C01"


def main():
    can, pin, mrz, out = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3], sys.argv[4]
    card = Card()
    number = mrz[5:15]
    zone = hashlib.sha1((number + mrz[30:37] + mrz[38:45]).encode()).digest()

    access = card.read(0x1C)
    check("EF.CardAccess names PACE on P-256 and brainpoolP256r1",
          all(bytes.fromhex("04007F00070202040202020102" + "0201" + p) in access for p in ("0C", "0D")))
    card.select(EMRTD)
    card.send(0, 0xB0, 0x81, 0, le=4, want=0x6982)
    check("nothing is told in the clear", True)

    card.fresh()
    card.pace(12, 2, can)
    check("PACE with the CAN on P-256", True)
    security = card.read(0x1D)
    card.select(EMRTD)
    dg14 = card.read(14)
    card.chip(dg14)
    sod, dg1, dg2, dg15 = card.read(0x1D), card.read(1), card.read(2), card.read(15)
    check("chip authentication re-keys, and the chip has the key of DG14", dg1.endswith(mrz.encode()))
    for name, group in {"DG1": dg1, "DG2": dg2, "DG14": dg14, "DG15": dg15}.items():
        check(f"the hash of {name} stands in EF.SOD", hashlib.sha256(group).digest() in sod)
    challenge = os.urandom(8)
    rs = card.send(0, 0x88, 0, 0, challenge, 0)
    key = serialization.load_der_public_key(split(dg15)[1])
    key.verify(utils.encode_dss_signature(int.from_bytes(rs[:32], "big"), int.from_bytes(rs[32:], "big")), challenge, ec.ECDSA(hashes.SHA256()))
    check("active authentication", True)
    odd = card.send(0, 0xB1, 0, 1, bytes.fromhex("540100"), 0)
    check("READ BINARY with odd instruction", split(odd)[1].startswith(dg1[:20]))
    card.select(RESIDENT)
    card.send(0, 0xB0, 0x82, 0, le=0, want=0x6982)
    card.send(0, 0x20, 0, 0x81, pin)
    check("the template opens with the PIN", len(card.send(0, 0xB0, 0x82, 0, le=0)) > 200)
    card.raw(bytes.fromhex("00B0810004"))
    card.send(0, 0xB0, 0x81, 0, le=4, want=0x6988)
    check("a command in the clear ends secure messaging", True)

    for parameters, password, secret_, what in ((13, 2, can, "the CAN on brainpoolP256r1"), (12, 1, zone, "the MRZ"), (13, 3, pin, "the PIN")):
        card.fresh()
        card.pace(parameters, password, secret_)
        card.select(EMRTD)
        check(f"PACE with {what}", card.read(1) == dg1)

    card.fresh()
    card.select(EMRTD)
    card.bac(zone)
    check("BAC with the MRZ, secure messaging with 3DES", card.read(1) == dg1 and card.read(0x1D) == sod)

    card.fresh()
    try:
        card.pace(12, 2, b"000000")
        check("another CAN is refused", False)
    except AssertionError as e:
        check(f"another CAN is refused ({e})", "6300" in str(e))

    for name, content in {"ef_sod.cms": split(sod)[1], "ef_cardsecurity.cms": security}.items():
        with open(os.path.join(out, name), "wb") as f:
            f.write(content)
    print(f"{passed} checks of a card read through PC/SC: all hold")


main()
