#!/usr/bin/env python3
"""A folder by FUSE that shows another one until the file FLAG exists; from then on, every call blocks, as on a hard NFS mount
whose server is gone. usage: hanging_folder.py FOLDER MOUNT_POINT FLAG"""
import errno
import os
import sys
import time

import fusepy


class Hanging(fusepy.Operations):
    def __init__(self, folder, flag):
        self.folder, self.flag = folder, flag

    def __call__(self, name, path, *args):
        while os.path.exists(self.flag):
            time.sleep(0.05)
        if not hasattr(self, name):
            raise fusepy.FuseOSError(errno.ENOSYS)
        try:
            return getattr(self, name)(self.folder + path, *args)
        except OSError as error:
            raise fusepy.FuseOSError(error.errno) from error

    def getattr(self, path, handle=None):
        info = os.lstat(path)
        return {name: getattr(info, name) for name in ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink",
                                                       "st_size", "st_uid")}

    def readdir(self, path, handle):
        return [".", "..", *os.listdir(path)]

    def statfs(self, path):
        info = os.statvfs(path)
        return {name: getattr(info, name) for name in ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_frsize", "f_namemax")}

    def open(self, path, flags):
        return os.open(path, flags)

    def create(self, path, mode, info=None):
        return os.open(path, os.O_RDWR | os.O_CREAT, mode)

    def read(self, path, size, offset, handle):
        return os.pread(handle, size, offset)

    def write(self, path, data, offset, handle):
        return os.pwrite(handle, data, offset)

    def truncate(self, path, size, handle=None):
        os.truncate(path, size)

    def release(self, path, handle):
        os.close(handle)

    def unlink(self, path):
        os.unlink(path)

    def mkdir(self, path, mode):
        os.mkdir(path, mode)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def rename(self, path, new):
        os.rename(path, self.folder + new)

    def access(self, path, mode):
        return 0

    def flush(self, path, handle):
        return 0

    def fsync(self, path, data_only, handle):
        return 0

    def opendir(self, path):
        return 0

    def releasedir(self, path, handle):
        return 0

    def fsyncdir(self, path, data_only, handle):
        return 0

    def init(self, path):
        return 0

    def destroy(self, path):
        return 0


if __name__ == "__main__":
    fusepy.FUSE(Hanging(sys.argv[1], sys.argv[3]), sys.argv[2], foreground=True)
