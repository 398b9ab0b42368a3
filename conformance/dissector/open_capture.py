#!/usr/bin/env python3
"""Opens every protected record of a capture of IoT-Crypto with the secrets of a key log.

It shares no code with the project: what it opens, anybody opens who has read RFC 6347,
RFC 7905 and RFC 9850. It reads pcapng and pcap, takes the secrets from the Decryption
Secrets Blocks of the capture and from a key log, and prints each record. If the capture
has exported PDUs as well (`iot-crypto ... --capture`), it compares them with what it has
opened itself.

Exit code 0 if every protected record was opened, 1 if one was not (or there was none, or
an exported PDU is another), 2 if something can't be read.
"""

import argparse
import collections
import hashlib
import hmac
import ipaddress
import json
import struct
import sys

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
except ImportError:
    sys.exit("the package cryptography is missing; run: pip install cryptography")

CONTENT_TYPES = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data"}
CLIENT_HELLO, SERVER_HELLO = 1, 2
DTLS_1_2 = b"\xfe\xfd"
NULL, ETHERNET, RAW, LINUX_SLL, UPPER_PDU, LINUX_SLL2 = 0, 1, 101, 113, 252, 276

Packet = collections.namedtuple("Packet", "frame time link bytes")
Datagram = collections.namedtuple("Datagram", "source destination payload")
Record = collections.namedtuple("Record", "type version number content")


class Unreadable(Exception):
    """The file is not what it should be."""


# Files -------------------------------------------------------------------------------------


def pcapng(data):
    """The packets of a pcapng file, and the key logs in it (draft-ietf-opsawg-pcapng)."""
    packets, key_logs, at = [], [], 0
    while at < len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, length = struct.unpack_from(order + "II", data, at)
        body = data[at + 8 : at + length - 4]
        if length < 12 or length % 4 or len(body) != length - 12:
            break  # It is still being written.
        if kind == 1:
            interfaces.append((struct.unpack_from(order + "H", body)[0], resolution(order, body)))
        elif kind == 6:
            number, high, low, captured = struct.unpack_from(order + "IIII", body)
            link, units = interfaces[number]
            time = (high << 32 | low) / units
            packets.append(Packet(len(packets) + 1, time, link, body[20 : 20 + captured]))
        elif kind == 10:
            secrets, size = struct.unpack_from(order + "II", body)
            if secrets == 0x544C534B:
                key_logs.append(body[8 : 8 + size].decode("ascii", "replace"))
        at += length
    return packets, key_logs


def resolution(order, interface):
    """The units of an interface's times in a second, from its options."""
    at = 8
    while at + 4 <= len(interface):
        code, length = struct.unpack_from(order + "HH", interface, at)
        if code == 9:
            exponent = interface[at + 4]
            return 2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent
        at += 4 + length + -length % 4
    return 10**6


def pcap(data):
    """The packets of a pcap file (draft-ietf-opsawg-pcap)."""
    orders = {0xA1B2C3D4: 10**6, 0xA1B23C4D: 10**9}
    for order in "<>":
        magic, link = struct.unpack_from(order + "I16xI", data)
        if magic in orders:
            break
    else:
        raise Unreadable("it is neither pcapng nor pcap")
    packets, at = [], 24
    while at + 16 <= len(data):
        seconds, fraction, captured = struct.unpack_from(order + "III", data, at)
        time = seconds + fraction / orders[magic]
        packets.append(Packet(len(packets) + 1, time, link, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    return packets, []


def read_capture(path):
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 24:
        raise Unreadable("it is too short to be a capture")
    return pcapng(data) if data[:4] == b"\x0a\x0d\x0d\x0a" else pcap(data)


def read_key_log(text):
    """The master secrets by client random (RFC 9850)."""
    secrets = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "CLIENT_RANDOM":
            secrets[bytes.fromhex(words[1])] = bytes.fromhex(words[2])
    return secrets


# Packets -------------------------------------------------------------------------------------


def udp(packet):
    """The UDP datagram in a packet; None if there is none."""
    skip = {NULL: 4, ETHERNET: 14, RAW: 0, LINUX_SLL: 16, LINUX_SLL2: 20}.get(packet.link)
    if skip is None:
        return None
    ip = packet.bytes[skip:]
    if len(ip) >= 28 and ip[0] >> 4 == 4 and ip[9] == 17:
        if struct.unpack_from(">H", ip, 6)[0] & 0x3FFF:
            return None  # A fragment.
        addresses, rest = (ip[12:16], ip[16:20]), ip[(ip[0] & 15) * 4 :]
    elif len(ip) >= 48 and ip[0] >> 4 == 6 and ip[6] == 17:
        addresses, rest = (ip[8:24], ip[24:40]), ip[40:]
    else:
        return None
    ports = struct.unpack_from(">HH", rest)
    length = struct.unpack_from(">H", rest, 4)[0]
    ends = [(str(ipaddress.ip_address(ip)), port) for ip, port in zip(addresses, ports)]
    return Datagram(*ends, rest[8:length])


def exported(packet):
    """The source, destination and content of an exported PDU."""
    tags, at = {}, 0
    while True:
        tag, length = struct.unpack_from(">HH", packet.bytes, at)
        at += 4
        if tag == 0:
            break
        tags[tag] = packet.bytes[at : at + length]
        at += length
    ends = []
    for addresses, port in (((20, 22), 25), ((21, 23), 26)):
        ip = next(tags[tag] for tag in addresses if tag in tags)
        ends.append((str(ipaddress.ip_address(ip)), int.from_bytes(tags[port], "big")))
    return (*ends, packet.bytes[at:])


# DTLS ----------------------------------------------------------------------------------------


def records(payload):
    """The records of a datagram (RFC 6347 section 4.1); nothing if it is no DTLS 1.2."""
    found, at = [], 0
    while at < len(payload):
        if len(payload) < at + 13 or payload[at] not in CONTENT_TYPES:
            return []
        length = int.from_bytes(payload[at + 11 : at + 13], "big")
        if payload[at + 1] != 0xFE or len(payload) < at + 13 + length:
            return []
        content = payload[at + 13 : at + 13 + length]
        found.append(
            Record(payload[at], payload[at + 1 : at + 3], payload[at + 3 : at + 11], content)
        )
        at += 13 + length
    return found


def p_sha256(secret, seed, length):
    """The PRF of TLS 1.2 (RFC 5246 section 5)."""
    a, out = seed, b""
    while len(out) < length:
        a = hmac.digest(secret, a, hashlib.sha256)
        out += hmac.digest(secret, a + seed, hashlib.sha256)
    return out[:length]


class Keys:
    """The keys of a session with ChaCha20-Poly1305 (RFC 5246 section 6.3, RFC 7905)."""

    def __init__(self, master, client_random, server_random):
        block = p_sha256(master, b"key expansion" + server_random + client_random, 88)
        self.sides = {
            "client": (ChaCha20Poly1305(block[:32]), block[64:76]),
            "server": (ChaCha20Poly1305(block[32:64]), block[76:88]),
        }

    def open(self, side, record):
        """The content of a record; None if it was not sealed with these keys."""
        key, iv = self.sides[side]
        nonce = iv[:4] + bytes(a ^ b for a, b in zip(iv[4:], record.number))
        length = len(record.content) - 16
        if length < 0:
            return None
        aad = record.number + bytes([record.type]) + DTLS_1_2 + length.to_bytes(2, "big")
        try:
            return key.decrypt(nonce, record.content, aad)
        except InvalidTag:
            return None


class Observer:
    """Sees all datagrams, and opens what the secrets protect."""

    def __init__(self, secrets):
        self.secrets = secrets
        # Several, if somebody else begins handshakes in the name of a client.
        self.client_randoms = collections.defaultdict(list)
        self.keys = collections.defaultdict(list)

    def see_handshake(self, datagram, record):
        """Takes the random values from the first fragments of the hellos."""
        flow = (datagram.source, datagram.destination)
        at = 0
        while at + 12 <= len(record.content):
            kind = record.content[at]
            offset = int.from_bytes(record.content[at + 6 : at + 9], "big")
            length = int.from_bytes(record.content[at + 9 : at + 12], "big")
            body = record.content[at + 12 : at + 12 + length]
            at += 12 + length
            if offset > 0 or len(body) < 34:
                continue
            random = body[2:34]
            if kind == CLIENT_HELLO:
                self.client_randoms[flow].append(random)
            elif kind == SERVER_HELLO:
                for client_random in self.client_randoms[flow[::-1]]:
                    if client_random in self.secrets:
                        keys = Keys(self.secrets[client_random], client_random, random)
                        self.keys[flow[::-1]].append(keys)

    def open(self, datagram, record):
        """The content of a protected record; None if no secret opens it."""
        flow = (datagram.source, datagram.destination)
        for flow, side in ((flow, "client"), (flow[::-1], "server")):
            for keys in reversed(self.keys[flow]):
                content = keys.open(side, record)
                if content is not None:
                    return content
        return None


# The whole -------------------------------------------------------------------------------------


def open_all(packets, secrets):
    """All protected records, each with its content or None; and the exported PDUs."""
    observer, found, pdus = Observer(secrets), [], []
    for packet in packets:
        if packet.link == UPPER_PDU:
            pdus.append(exported(packet))
            continue
        datagram = udp(packet)
        for record in records(datagram.payload) if datagram else []:
            if int.from_bytes(record.number[:2], "big") > 0:
                found.append((packet, datagram, record, observer.open(datagram, record)))
            elif CONTENT_TYPES[record.type] == "handshake":
                observer.see_handshake(datagram, record)
    return found, pdus


def describe(packet, datagram, record, content):
    return {
        "frame": packet.frame,
        "time": packet.time,
        "from": "%s port %d" % datagram.source,
        "to": "%s port %d" % datagram.destination,
        "epoch": int.from_bytes(record.number[:2], "big"),
        "sequence": int.from_bytes(record.number[2:], "big"),
        "type": CONTENT_TYPES[record.type],
        "content": None if content is None else content.hex(),
    }


def differences(found, pdus):
    """How many exported PDUs are not what was opened, or are missing."""
    shown = [
        (datagram.source, datagram.destination, content)
        for _, datagram, record, content in found
        if CONTENT_TYPES[record.type] in ("alert", "application data")
    ]
    return abs(len(shown) - len(pdus)) + sum(a != b for a, b in zip(shown, pdus))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog="example: open_capture.py demo.pcapng",
    )
    parser.add_argument("capture", help="a file in pcapng or pcap")
    parser.add_argument(
        "--key-log",
        metavar="FILE",
        action="append",
        default=[],
        help="take secrets from FILE (RFC 9850); may be given several times",
    )
    parser.add_argument(
        "--only-key-log", action="store_true", help="leave the secrets in the capture aside"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    try:
        packets, key_logs = read_capture(arguments.capture)
        if arguments.only_key_log:
            key_logs = []
        for path in arguments.key_log:
            with open(path, encoding="ascii") as file:
                key_logs.append(file.read())
        secrets = read_key_log("\n".join(key_logs))
        found, pdus = open_all(packets, secrets)
    except (OSError, Unreadable, ValueError, LookupError, struct.error) as error:
        print(f"{arguments.capture}, or a key log, can't be read: {error}", file=sys.stderr)
        return 2
    lines = [describe(*each) for each in found]
    closed = sum(line["content"] is None for line in lines)
    different = differences(found, pdus) if pdus else 0
    summary = {
        "opened": len(lines) - closed,
        "not_opened": closed,
        "exported": len(pdus),
        "different": different,
    }
    if arguments.json:
        print(json.dumps({"records": lines, **summary}))
    else:
        for line in lines:
            content = "CAN'T BE OPENED" if line["content"] is None else line["content"]
            print(
                "{frame:>6}  {time:.6f}  {from} -> {to}  {epoch}.{sequence}  {type}: ".format(**line)
                + content
            )
        print("{opened} records opened, {not_opened} not".format(**summary))
        if pdus:
            print("{exported} exported PDUs, {different} of them wrong".format(**summary))
    return 0 if lines and not closed and not different else 1


if __name__ == "__main__":
    sys.exit(main())
