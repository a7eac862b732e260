# What lies on disks in the field, made by the real tools. LVM and md need block devices for their own tools, so their
# labels are written here after their documented formats.
# SPDX-License-Identifier: Apache-2.0
import struct
import subprocess
import zlib

SIZE = 64 << 20


def run(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def write(path, offset, data):
    with open(path, "r+b") as f:
        f.seek(offset)
        f.write(data)


def ext4(path):
    run("mkfs.ext4", "-q", "-F", "-L", "precious", path)


def ext4_far_inside(path):  # its first MiB wiped: nothing at the usual place
    run("mkfs.ext4", "-q", "-F", path)
    write(path, 0, bytes(1 << 20))


def vfat(path):
    run("mkfs.vfat", "-n", "OLDSTICK", path)


def swap(path):
    run("mkswap", path)


def luks(path):
    subprocess.run(["cryptsetup", "luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
                    path, "-"], input=b"secret", check=True, stderr=subprocess.DEVNULL)


def lvm_crc(data):
    # LVM's CRC32: no final inversion, initial value 0xf597a6cf
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def lvm(path):
    body = struct.pack("<I8s", 32, b"LVM2 001") + b"A" * 32 + struct.pack("<Q", SIZE) + bytes(16 * 4)
    body = body.ljust(512 - 20, b"\0")
    write(path, 512, struct.pack("<8sQI", b"LABELONE", 1, lvm_crc(body)) + body)


def md(path):  # version 1.2: 4 KiB from the start
    sb = bytearray(256)
    struct.pack_into("<IIII", sb, 0, 0xA92B4EFC, 1, 0, 0)
    sb[16:32] = b"0123456789abcdef"
    sb[32:64] = b"rack:0".ljust(32, b"\0")
    struct.pack_into("<QiiQii", sb, 64, 0, 1, 0, 100000, 0, 2)
    struct.pack_into("<QQQQ", sb, 128, 2048, 100000, 8, 0)
    words = struct.unpack("<64I", sb)
    total = sum(words)
    struct.pack_into("<I", sb, 216, ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    write(path, 4096, bytes(sb))


def gpt(path):
    subprocess.run(["sfdisk", "-q", path], input=b"label: gpt\n,,L\n", check=True, stdout=subprocess.DEVNULL)


def backup_gpt(path):  # somebody wiped the start only
    gpt(path)
    write(path, 0, bytes(2 << 20))


def mbr(path):
    subprocess.run(["sfdisk", "-q", path], input=b"label: dos\n,,L\n", check=True, stdout=subprocess.DEVNULL)


def one_byte(path):
    write(path, SIZE - 1, b"\1")


def blank(path):
    pass
