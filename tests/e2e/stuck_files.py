# SPDX-License-Identifier: Apache-2.0
"""A file system that hangs once a file was made in it (FUSE, fuse(4)): its server reads no request any more."""

import contextlib
import ctypes
import os
import struct
import tempfile
import threading

LOOKUP, GETATTR, INIT, CREATE = 1, 3, 26, 35
ENOENT, ENOSYS = 2, 38
MS_NOSUID_NODEV, MNT_DETACH = 6, 2

_libc = ctypes.CDLL(None, use_errno=True)


def attributes(inode, mode):
    return struct.pack("<6Q10I", inode, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class StuckFiles:
    def __init__(self, path, device):
        self.path = path
        self.hangs = threading.Event()
        self._device = device
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        opcode = INIT
        while opcode != CREATE:
            request = os.read(self._device, 1 << 18)
            opcode, unique = struct.unpack_from("<IQ", request, 4)
            self._answer(unique, *self._reply(opcode))
        self.hangs.set()

    @staticmethod
    def _reply(opcode):
        """The error and the answer."""
        if opcode == INIT:
            return 0, struct.pack("<4I2H10I", 7, 31, 0, 0, 0, 0, 4096, 1, *([0] * 8))
        if opcode == GETATTR:
            return 0, struct.pack("<QII", 1, 0, 0) + attributes(1, 0o40755)
        if opcode == LOOKUP:
            return -ENOENT, b""
        if opcode == CREATE:
            entry = struct.pack("<4Q2I", 2, 0, 1, 1, 0, 0) + attributes(2, 0o100600)
            return 0, entry + struct.pack("<QII", 0, 1 | 32, 0)  # FOPEN_DIRECT_IO, FOPEN_NOFLUSH
        return -ENOSYS, b""

    def _answer(self, unique, error, body):
        os.write(self._device, struct.pack("<IiQ", 16 + len(body), error, unique) + body)

    def close(self):
        _libc.umount2(self.path.encode(), MNT_DETACH)
        os.close(self._device)
        with contextlib.suppress(OSError):
            os.rmdir(self.path)


def mount():
    """Mounts it somewhere; None where the kernel has no FUSE."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        return None
    path = tempfile.mkdtemp(prefix="weft-e2e-stuck-")
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if _libc.mount(b"stuck", path.encode(), b"fuse", MS_NOSUID_NODEV, options) != 0:
        os.close(device)
        os.rmdir(path)
        return None
    return StuckFiles(path, device)
