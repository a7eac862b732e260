# What stands between a machine and its region in a rack: switch ports that carry tagged frames alone, tell of VLANs by LLDP or
# wait for LACP, a router with DHCPv6, an HTTP proxy. A port is the program at the other end of `hearth-lab --nic wire=PATH`;
# behind it is QEMU's user-mode network, in a QEMU without a machine, where this host's loopback is 10.0.2.2 or fd76::2.
# SPDX-License-Identifier: Apache-2.0
import os
import select
import socket
import struct
import subprocess
import threading
import time

from parts import Problem

LLDP_TO = bytes.fromhex("0180c200000e")
SLOW_TO = bytes.fromhex("0180c2000002")  # LACP
SWITCH = bytes.fromhex("02525400aa01")
BROADCAST = b"\xff" * 6


class Gateway:
    """User-mode network at a unix socket: DHCP (or router advertisements), and this host's loopback."""

    def __init__(self, path, ipv6=False):
        self.path = path
        kind = "ipv4=off,ipv6=on,ipv6-net=fd76::/64,ipv6-host=fd76::2" if ipv6 else "net=10.0.2.0/24"
        with open(path + ".log", "wb") as log:  # it always says that no machine is there
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
                 "-netdev", "user,id=out," + kind, "-netdev", "hubport,id=a,hubid=0,netdev=out",
                 "-netdev", "dgram,id=in,local.type=unix,local.path=%s,remote.type=unix,remote.path=%s.port" % (path, path),
                 "-netdev", "hubport,id=b,hubid=0,netdev=in"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not os.path.exists(path):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Problem("the gateway's QEMU does not start")
            time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()


def bound(path):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.bind(path)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return one


class Port:
    """Switch ports of one machine, as many as @paths, before one gateway. A plain one passes every frame."""

    every_sec = 2  # tick()

    def __init__(self, gateway, paths):
        self.gateway, self.paths = gateway, paths
        self.up, self.ports = bound(gateway.path + ".port"), [bound(path) for path in paths]
        self.seen = [0] * len(paths)  # frames of the machine, by port
        self.ended = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        due = time.monotonic()
        while not self.ended:
            for ready in select.select([self.up] + self.ports, [], [], 0.2)[0]:
                frame = ready.recv(70000)
                if ready is self.up:
                    self.from_gateway(frame)
                else:
                    self.seen[self.ports.index(ready)] += 1
                    self.from_machine(self.ports.index(ready), frame)
            if time.monotonic() >= due:
                due = time.monotonic() + self.every_sec
                self.tick()

    @staticmethod
    def send(one, path, frame):
        try:
            one.sendto(frame, path)
        except OSError:
            pass  # it is off, or its queue is full: frames are lost on wires

    def to_gateway(self, frame):
        self.send(self.up, self.gateway.path, frame)

    def to_machine(self, port, frame):
        self.send(self.ports[port], self.paths[port] + ".nic", frame)

    def from_machine(self, port, frame):
        if frame[:6] not in (LLDP_TO, SLOW_TO):  # link-local: no bridge passes them
            self.to_gateway(frame)

    def from_gateway(self, frame):
        for port in range(len(self.paths)):
            self.to_machine(port, frame)

    def tick(self):
        pass

    def stop(self):
        self.ended = True
        self.thread.join()
        for one in [self.up] + self.ports:
            one.close()


def tagged(frame, vlan):
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def tlv(kind, value):
    return struct.pack("!H", kind << 9 | len(value)) + value


def lldp(names):
    """An LLDP frame whose VLAN Name TLVs (IEEE 802.1Q-2022, D.2.3) are @names: number -> name."""
    body = tlv(1, b"\x04" + SWITCH) + tlv(2, b"\x05" + b"Ethernet7") + tlv(3, struct.pack("!H", 120)) + tlv(5, b"leaf-3")
    for vlan, name in names.items():
        body += tlv(127, b"\x00\x80\xc2\x03" + struct.pack("!HB", vlan, len(name)) + name.encode())
    return LLDP_TO + SWITCH + b"\x88\xcc" + body + tlv(0, b"")


class Trunk(Port):
    """Everything is tagged: the gateway is in VLAN @vlan. The switch tells @names by LLDP, and another VLAN is heard."""

    def __init__(self, gateway, paths, vlan, names=None, heard=()):
        self.vlan, self.names, self.heard, self.n_untagged = vlan, names or {}, heard, 0
        super().__init__(gateway, paths)

    def from_machine(self, port, frame):
        if frame[12:14] != b"\x81\x00":
            self.n_untagged += 1
        elif struct.unpack("!H", frame[14:16])[0] & 0xfff == self.vlan:
            self.to_gateway(frame[:12] + frame[16:])

    def from_gateway(self, frame):
        super().from_gateway(tagged(frame, self.vlan))

    def tick(self):
        for port in range(len(self.paths)):
            if self.names:
                self.to_machine(port, lldp(self.names))
            for vlan in self.heard:  # somebody there asks for somebody else
                ask = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + SWITCH + bytes([192, 0, 2, 1]) + bytes(6) + bytes([192, 0, 2, 9])
                self.to_machine(port, tagged((BROADCAST + SWITCH + b"\x08\x06" + ask).ljust(60, b"\0"), vlan))


class WaitingBond(Port):
    """A bond's ports on a switch whose side is not configured yet: no LACP is answered, and one member alone is let through
    (what switches call LACP fallback); the others are off for all but LACP."""

    def __init__(self, gateway, paths, member):
        self.member, self.n_lacp = member, 0
        super().__init__(gateway, paths)

    def from_machine(self, port, frame):
        if frame[:6] == SLOW_TO:
            self.n_lacp += 1
        elif port == self.member:
            super().from_machine(port, frame)

    def from_gateway(self, frame):
        self.to_machine(self.member, frame)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def with_checksum(source, to, protocol, data, at):
    """@data with its checksum at offset @at, over IPv6's pseudo header."""
    data = data[:at] + b"\0\0" + data[at + 2:]
    value = checksum(source + to + struct.pack("!II", len(data), protocol) + data)
    return data[:at] + struct.pack("!H", value or 0xffff) + data[at + 2:]


class Managed(Port):
    """IPv6 with addresses by DHCPv6 alone: the gateway's advertisements say so, and the port answers for its server."""

    address = socket.inet_pton(socket.AF_INET6, "fd76::1:7")
    router = socket.inet_pton(socket.AF_INET6, "fe80::52:54ff:feaa:1")

    def __init__(self, gateway, paths):
        self.n_leases = 0
        super().__init__(gateway, paths)

    def from_gateway(self, frame):
        if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 134:
            frame = frame[:54] + self.advertisement(frame[22:38], frame[38:54], frame[54:])
        super().from_gateway(frame)

    @staticmethod
    def advertisement(source, to, data):
        data = bytearray(data)
        data[5] |= 0x80  # addresses by DHCPv6
        at = 16
        while at + 8 <= len(data) and data[at + 1]:
            if data[at] == 3:
                data[at + 3] &= ~0x40 & 0xff  # and none from the prefix
            at += 8 * data[at + 1]
        return with_checksum(source, to, 58, bytes(data), 2)

    def from_machine(self, port, frame):
        if frame[12:14] == b"\x86\xdd" and frame[20] == 17 and frame[56:58] == b"\x02\x23":
            self.answer(port, frame)
        else:
            super().from_machine(port, frame)

    def answer(self, port, frame):
        asked, options, at = frame[62], {}, 66
        while at + 4 <= len(frame):
            kind, n = struct.unpack("!HH", frame[at:at + 4])
            options[kind] = frame[at + 4:at + 4 + n]
            at += 4 + n
        answers = {1: 2, 3: 7, 5: 7, 6: 7, 11: 7}  # solicit: advertise; request, renew, rebind, information: reply
        if asked not in answers or 1 not in options:
            return

        def option(kind, value):
            return struct.pack("!HH", kind, len(value)) + value
        body = bytes([answers[asked]]) + frame[63:66] + option(1, options[1]) + option(2, b"\x00\x03\x00\x01" + SWITCH)
        if 3 in options:
            lease = option(5, self.address + struct.pack("!II", 3600, 7200))
            body += option(3, options[3][:4] + struct.pack("!II", 1800, 2880) + lease)
            self.n_leases += asked == 3
        to = frame[22:38]
        udp = struct.pack("!HHHH", 547, 546, 8 + len(body), 0) + body
        udp = with_checksum(self.router, to, 17, udp, 6)
        packet = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + self.router + to + udp
        self.to_machine(port, frame[6:12] + SWITCH + b"\x86\xdd" + packet)


class Proxy:
    """An HTTP proxy that knows CONNECT alone. @hosts: what it calls a name -> port of this host's loopback; all else is refused."""

    def __init__(self, hosts):
        self.hosts, self.asked = hosts, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                one, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one):
        with one:
            head = b""
            while b"\r\n\r\n" not in head:
                more = one.recv(4096)
                if not more or len(head) > 1 << 16:
                    return
                head += more
            words = head.split(b"\r\n")[0].decode(errors="replace").split()
            self.asked.append(" ".join(words[:2]))
            port = self.hosts.get(words[1]) if words[0] == "CONNECT" and len(words) == 3 else None
            if port is None:
                one.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", port)) as other:
                one.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.pass_on(one, other)

    @staticmethod
    def pass_on(one, other):
        ends = {one: other, other: one}
        while True:
            for ready in select.select(list(ends), [], [])[0]:
                try:
                    data = ready.recv(65536)
                except OSError:
                    return
                if not data:
                    return
                ends[ready].sendall(data)

    def stop(self):
        self.server.close()
