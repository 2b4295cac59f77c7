# SPDX-License-Identifier: Apache-2.0
"""A file that a program serves (FUSE, the kernel's Documentation/filesystems/fuse.rst), and of which it answers nothing
once it is open: who asks for its attributes or closes it waits."""

import ctypes
import os
import struct
import threading

LOOKUP, GETATTR, OPEN, INIT = 1, 3, 14, 26
FILE, FOREVER = 2, 3600
LIBC = ctypes.CDLL(None, use_errno=True)
LAZY = 2


def attributes(number, mode):
    return struct.pack("<6Q10I", number, 10, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class StuckFile:
    """Context manager: the open file's number."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if LIBC.mount(b"weft-test", self.folder.encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        threading.Thread(target=self.serve, daemon=True).start()
        self.file = os.open(os.path.join(self.folder, "file"), os.O_RDWR | os.O_CLOEXEC)
        return self.file

    def __exit__(self, *_):
        LIBC.umount2(self.folder.encode(), LAZY)
        os.close(self.device)  # all that waits fails now

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError:
                return
            _, kind, unique, _ = struct.unpack_from("<IIQQ", request)
            answer = self.answer(kind)
            if answer is not None:
                os.write(self.device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)

    @staticmethod
    def answer(kind):
        if kind == INIT:
            return struct.pack("<4I4HIHH7I", 7, 31, 65536, 0, 12, 9, 0, 0, 65536, 1, 0, *[0] * 7)[:64]
        if kind == LOOKUP:
            return struct.pack("<4Q2I", FILE, 0, FOREVER, FOREVER, 0, 0) + attributes(FILE, 0o100666)
        if kind == OPEN:
            return struct.pack("<QII", 1, 0, 0)
        return None
