"""Holds every frame between two TAP interfaces back for a fixed time, both ways.

    /usr/bin/python3 delay.py --first agent1.t0 --second agent1.t1 --delay-us 500

Makes the two interfaces, which go with it, prints `ready` and forwards until it is killed. Frames
come with their virtio header, so that a segment of up to 64 KiB passes as one frame, as through a
veth: that is what lets a script keep up with gigabits.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_TUNSETSNDBUF = 0x400454D4
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_OFFLOADS = 0x01 | 0x02 | 0x04  # checksum, TSO over IPv4 and over IPv6
_FRAME_MOST = 65536 + 128
_HELD_MOST = 256 << 20  # bytes each way; a path that holds more loses what comes next
_BATCH = 64


def open_tap(name: str) -> int:
    """Makes the TAP interface; it lives as long as the descriptor."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, _TUNSETIFF,
                struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
    fcntl.ioctl(fd, _TUNSETOFFLOAD, _OFFLOADS)
    fcntl.ioctl(fd, _TUNSETSNDBUF, struct.pack("i", 1 << 30))
    return fd


class Direction:
    """Frames from one interface on their way to the other."""

    def __init__(self, source: int, sink: int, delay_ns: int) -> None:
        self.source = source
        self.sink = sink
        self._delay_ns = delay_ns
        self._held: deque[tuple[int, bytes]] = deque()
        self._bytes = 0

    def take(self) -> None:
        """Stamps what has come."""
        for _ in range(_BATCH):
            try:
                frame = os.read(self.source, _FRAME_MOST)
            except BlockingIOError:
                return
            if self._bytes + len(frame) > _HELD_MOST:
                continue
            self._held.append((time.monotonic_ns() + self._delay_ns, frame))
            self._bytes += len(frame)

    def give(self) -> None:
        """Lets go what is due. What the other side does not take is lost, as on any path."""
        while self._held and self._held[0][0] <= time.monotonic_ns():
            _, frame = self._held.popleft()
            self._bytes -= len(frame)
            try:
                os.write(self.sink, frame)
            except OSError:
                continue

    def due_ns(self) -> int | None:
        """When the next frame is due."""
        return self._held[0][0] if self._held else None


def forward(first: int, second: int, delay_ns: int) -> None:
    """Until the process is killed."""
    directions = (Direction(first, second, delay_ns), Direction(second, first, delay_ns))
    while True:
        due = [when for direction in directions if (when := direction.due_ns()) is not None]
        wait = max(0.0, (min(due) - time.monotonic_ns()) * 1e-9) if due else None
        readable, _, _ = select.select([first, second], [], [], wait)
        for direction in directions:
            if direction.source in readable:
                direction.take()
            direction.give()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", required=True)
    parser.add_argument("--second", required=True)
    parser.add_argument("--delay-us", required=True, type=float)
    options = parser.parse_args()
    pr_set_timerslack = 29
    ctypes.CDLL(None).prctl(pr_set_timerslack, 1, 0, 0, 0)  # ns: else every frame is 50 us late
    first, second = open_tap(options.first), open_tap(options.second)
    print("ready", flush=True)
    forward(first, second, int(options.delay_us * 1000))
    return 0


if __name__ == "__main__":
    sys.exit(main())
