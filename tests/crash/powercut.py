"""Makes of a folder what a power cut would have left of it, from what the shim kept (durable.c). The process is dead.

lost: only what was synced survives. A file has the content of its last fsync (none: it is empty), a folder the names of its
last fsync. That is the worst that POSIX allows, and worse than most file systems do.
mix: each block of a file that was written since may have reached the disk or not, and the folders' names are as of their last
fsync or as of the cut: file systems that keep a journal write names in order, but data in any.

Files that the agent never wrote, and names that others made or took away, stay as they are: the instrument's computer has its own
power. SQLite's shared memory (-shm) is gone in either case.
"""
import os
import pathlib
import shutil
import stat

BLOCK = 4096


class Store:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.wrote = set()
        self.gone, self.came = {}, {}  # folder's inode: names, since its last sync
        log = self.folder / "log"
        for line in log.read_text(errors="surrogateescape").splitlines() if log.exists() else []:
            what, number, *name = line.split(" ", 2)
            if what == "wrote":
                self.wrote.add(int(number))
            elif what == "sync":
                self.gone.pop(int(number), None)
                self.came.pop(int(number), None)
            else:
                getattr(self, what).setdefault(int(number), set()).add(name[0])

    def names(self, inode):
        """A folder's names when it was last synced: {name: (inode, mode)}."""
        path = self.folder / f"d-{inode}"
        found = {}
        for line in path.read_text(errors="surrogateescape").splitlines() if path.exists() else []:
            number, mode, name = line.split(" ", 2)
            found[name] = (int(number), int(mode, 8))
        return found

    def content(self, inode):
        path = self.folder / f"i-{inode}"
        return path.read_bytes() if path.exists() else None


def look(root):
    """{folder's inode: {name: (inode, mode)}}, {file's inode: its content}."""
    folders, files = {}, {}
    for path, _, _ in os.walk(root):
        names = folders.setdefault(os.stat(path).st_ino, {})
        for entry in os.scandir(path):
            st = entry.stat(follow_symlinks=False)
            names[entry.name] = (st.st_ino, st.st_mode)
            if stat.S_ISREG(st.st_mode):
                files[st.st_ino] = pathlib.Path(entry.path).read_bytes()
    return folders, files


def names_after(store, inode, now, names_lost):
    """The names of a folder after the cut."""
    if not names_lost:
        return dict(now)
    before, gone, came = store.names(inode), store.gone.get(inode, ()), store.came.get(inode, ())
    after = {name: entry for name, entry in now.items() if name in before or name not in came}
    after.update({name: entry for name, entry in before.items() if name in gone})
    return after


def mixed(durable, now, chance):
    """Each block from the one or the other."""
    size = len(chance.choice((durable, now)))
    blocks = []
    for at in range(0, size, BLOCK):
        pair = [text[at:at + BLOCK].ljust(min(BLOCK, size - at), b"\0")[:size - at] for text in (durable, now)]
        blocks.append(chance.choice(pair))
    return b"".join(blocks)


def content_after(store, inode, files, chance):
    now, durable = files.get(inode), store.content(inode)
    if inode not in store.wrote:
        return now if now is not None else durable or b""
    durable = durable or b""
    return durable if chance is None or now is None else mixed(durable, now, chance)


def rebuild(store, place, inode, was, chance, names_lost):
    """Brings one folder, in place (the instruments are looking at it), to what it is after the cut."""
    folders, files = was
    now, after = folders.get(inode, {}), names_after(store, inode, folders.get(inode, {}), names_lost)
    for name in set(now) - set(after):
        path = place / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, (child, mode) in after.items():
        path = place / name
        if stat.S_ISDIR(mode):
            path.mkdir(exist_ok=True)
            rebuild(store, path, child, was, chance, names_lost)
        elif stat.S_ISREG(mode):
            put(store, path, child, mode, content_after(store, child, files, chance))


def put(store, path, inode, mode, content):
    """The file with that inode under that name: the same inode, and its time of change if its content is the same."""
    same = store.folder / f"live-{inode}"
    if not same.exists():  # it has no name any more
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(stat.S_IMODE(mode))
        return
    if same.read_bytes() != content:
        same.write_bytes(content)
    if not path.exists() or not path.samefile(same):
        path.unlink(missing_ok=True)
        os.link(same, path)


def cut(root, store_folder, chance=None):
    """chance: a random.Random for a mix; None: all is lost that was not synced."""
    root, store = pathlib.Path(root), Store(store_folder)
    names_lost = chance is None or chance.random() < 0.5
    was = look(root)
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and not (store.folder / f"live-{path.stat().st_ino}").exists():
            os.link(path, store.folder / f"live-{path.stat().st_ino}")
    rebuild(store, root, root.stat().st_ino, was, chance, names_lost)
    for path in root.rglob("*-shm"):
        path.unlink()
    shutil.rmtree(store.folder)  # the links too: the agent looks at how many a file has
