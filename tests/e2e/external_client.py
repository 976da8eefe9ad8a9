#!/usr/bin/env python3
"""A Kinetic client of another make, of the standard library alone: it writes its keys, then puts or
gets in a closed loop of one request, and says by its own clock what each took.

  external_client.py --host H --port P --op put|get --value-size N --keys N --milliseconds N
                     --identity N --key-file FILE [--think-us N] [--depth N] [--connections N]
                     [--format csv|fio]

Its latencies begin before a request is encoded and end when its answer is decoded; with --think-us
it sleeps after each, outside of them. With --depth it keeps that many requests unanswered on each
of its connections, which a thread has for itself, and takes answers in whatever order they come.
"""

import argparse
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import threading
import time

GET, PUT, SUCCESS = 2, 4, 1
CRC32C, WRITEBACK = 4, 2


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def nested(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def read_varint(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """The fields of a message: number -> the last value, of a nested one its bytes."""
    found, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            found[tag >> 3], at = read_varint(data, at)
        elif kind == 2:
            size, at = read_varint(data, at)
            found[tag >> 3] = data[at : at + size]
            at += size
        else:
            size = 8 if kind == 1 else 4
            found[tag >> 3] = data[at : at + size]
            at += size
    return found


class Client:
    def __init__(self, host, port, identity, key):
        self.identity, self.key = identity, key
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sequence = 0
        self.connection = fields(self.receive()[0][1])[3]  # of the greeting's header

    def receive_exactly(self, size):
        data = self.socket.recv(size)
        if len(data) == size:
            return data
        whole = bytearray(data)
        while len(whole) < size:
            data = self.socket.recv(size - len(whole))
            if not data:
                raise SystemExit("the server closed the connection")
            whole += data
        return bytes(whole)

    def receive(self):
        """Command and value of the next message."""
        magic, message_size, value_size = struct.unpack(">BII", self.receive_exactly(9))
        if magic != 0x46:
            raise SystemExit("this is no Kinetic server")
        message = fields(self.receive_exactly(message_size))
        value = self.receive_exactly(value_size) if value_size else b""
        return fields(message.get(7, b"")), value

    def send(self, message_type, key, value=b""):
        self.sequence += 1
        header = number(3, self.connection) + number(4, self.sequence) + number(7, message_type)
        entry = nested(3, key)
        if message_type == PUT:
            entry += nested(5, b"\0") + number(6, CRC32C) + number(8, 1) + number(9, WRITEBACK)
        command = nested(1, header) + nested(2, nested(1, entry))
        digest = hmac.new(self.key, struct.pack(">I", len(command)) + command, hashlib.sha1)
        message = (
            number(4, 1)
            + nested(5, number(1, self.identity) + nested(2, digest.digest()))
            + nested(7, command)
        )
        frame = struct.pack(">BII", 0x46, len(message), len(value)) + message + value
        self.socket.sendall(frame)

    def answered(self):
        """The sequence of the request that has its answer now."""
        command, _ = self.receive()
        code = fields(command.get(3, b"")).get(1)
        if code != SUCCESS:
            raise SystemExit(f"the server answered with status {code}")
        return fields(command[1])[6]


def measure(client, message_type, keys, body, options):
    """Latencies of the requests that it makes, in the order of their answers."""
    latencies, started, n, clock = [], {}, 0, time.perf_counter_ns
    now = clock()
    end = now + options.milliseconds * 1_000_000
    while now < end:
        start = now
        client.send(message_type, keys[n % len(keys)], body)
        n += 1
        started[client.sequence] = start
        now = clock()
        if len(started) >= options.depth:
            which = client.answered()
            now = clock()
            latencies.append(now - started.pop(which))
            if options.think_us:
                time.sleep(options.think_us / 1e6)
                now = clock()
    while started:
        which = client.answered()
        latencies.append(clock() - started.pop(which))
    return latencies


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_fio(op, latencies):
    ordered = sorted(latencies)
    lat = {
        "mean": sum(ordered) / len(ordered),
        "percentile": {
            "50.000000": percentile(ordered, 0.5),
            "99.000000": percentile(ordered, 0.99),
        },
    }
    empty = {"total_ios": 0}
    done = {"total_ios": len(ordered), "lat_ns": lat}
    read, write = (done, empty) if op == "get" else (empty, done)
    print('note: {lines} before the object, with braces and a " of their own, are usual')
    print(json.dumps({"fio version": "fio-3.33", "jobs": [{"read": read, "write": write}]}))


def main():
    parser = argparse.ArgumentParser()
    for name in ("host", "op", "key-file"):
        parser.add_argument("--" + name, required=True)
    for name in ("port", "value-size", "keys", "milliseconds", "identity"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--think-us", type=int, default=0)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--format", default="csv")
    options = parser.parse_args()
    with open(options.key_file, "rb") as file:
        hmac_key = file.read()
    clients = [
        Client(options.host, options.port, options.identity, hmac_key)
        for _ in range(options.connections)
    ]
    print("connected", file=sys.stderr, flush=True)
    value = os.urandom(options.value_size)
    keys = [b"other-%08d" % i for i in range(options.keys)]
    message_type = PUT if options.op == "put" else GET
    body = value if message_type == PUT else b""

    if message_type == GET:  # what is read must be there
        for key in keys:
            clients[0].send(PUT, key, value)
            clients[0].answered()
    latencies = []
    threads = [
        threading.Thread(
            target=lambda one=one: latencies.extend(
                measure(one, message_type, keys, body, options)
            )
        )
        for one in clients[1:]
    ]
    for thread in threads:
        thread.start()
    own = measure(clients[0], message_type, keys, body, options)
    for thread in threads:
        thread.join()
    latencies.extend(own)

    if options.format == "fio":
        print_fio(options.op, latencies)
    else:
        print("op,latency_ns")
        sys.stdout.write("".join(f"{options.op},{one}\n" for one in latencies))


if __name__ == "__main__":
    main()
