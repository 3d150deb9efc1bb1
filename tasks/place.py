"""The place of settings.json, and why nothing is written there: root follows no path that somebody else owns. Pure.

The service's user has the last word in its home, so none of this keeps a hostile one from anything:
files/change/settings.sh does, which works there as that user. This says beforehand, with the link or folder by name,
what would be refused.
"""

from __future__ import annotations

import posixpath

from jada.tasks.state import State


def unsafe(state: State) -> str:
    """Says why no file is written where settings.json leads, in a sentence; "" when nothing speaks against it."""
    return _path(state) or _links(state) or _folders(state) or _file(state)


def is_linked(state: State) -> bool:
    """True if settings.json lies elsewhere than root itself knows: the target of a link is the user's word."""
    return state.settings.real != _own_path(state)


def by_look(state: State, unit: str) -> tuple[str, ...]:
    """The owner, service and place of settings.json by a look, to which a snapshot is bound (files/change/host.sh)."""
    return _place(state, unit, state.settings.real, "yes" if is_linked(state) else "")


def by_root(state: State, unit: str) -> tuple[str, ...]:
    """The same by root's word alone: where no link leads elsewhere."""
    return _place(state, unit, _own_path(state), "")


def _place(state: State, unit: str, path: str, linked: str) -> tuple[str, ...]:
    folder, _, name = path.rpartition("/")
    return str(state.uid), str(state.gid), unit, linked, folder or "/", name


def _own_path(state: State) -> str:
    path, home = state.settings.path, f"{state.home}/"
    return f"{state.home_real.rstrip('/')}/{path.removeprefix(home)}" if path.startswith(home) else path


def checked(path: str) -> str:
    """The path, which is to go into a script. Raises ValueError for one that no settings file has."""
    if not _is_plain(path):
        raise ValueError(f"the path of a settings file has odd characters: {path!r}")
    return path


def _path(state: State) -> str:
    return next(filter(None, map(odd, (state.settings.path, state.settings.real))), "")


def odd(path: str) -> str:
    """Says why no settings file has this path, in a sentence, or ""."""
    text = f"settings.json lies where a path has characters that no path should have: {path!r}"
    return "" if _is_plain(path) else text


def _is_plain(path: str) -> bool:
    """True if a path is absolute and the shortest of its kind, of one line, and was read byte for byte."""
    is_short = path == posixpath.normpath(path) and not path.startswith("//")
    return path.startswith("/") and is_short and path.isprintable() and "\ufffd" not in path


def _links(state: State) -> str:
    """A link in the home may lead to another place in it, as dotfile managers have it; nowhere else."""
    path, real = state.settings.path, state.settings.real
    link = next(iter(_links_in_home(state)), path)
    if state.way.is_dangling:
        return f"{path} is a link to nothing: it leads to {real}"
    if not is_linked(state) or _is_in_home(state):
        return ""
    if path.startswith(f"{state.home}/"):
        return f"{link} is a link that leads out of the home of {state.user}, to {real}"
    return f"{(*state.way.links, path)[0]} is a link, on the way to {real}, which is not in the home of {state.user}"


def _folders(state: State) -> str:
    for folder in state.way.folders:
        if folder.uid not in (0, state.uid):
            return f"{folder.path} belongs to another user (uid {folder.uid}), who could put anything there"
        if folder.mode[8:9] == "w" and folder.mode[9:10].lower() != "t":
            return f"{folder.path} is open for everybody to write to"
    parent = state.settings.real.rpartition("/")[0] or "/"
    if not _is_in_home(state) and parent not in {folder.path for folder in state.way.folders}:
        return f"its folder {parent} does not exist, and jada makes none outside of the home of {state.user}"
    return ""


def _file(state: State) -> str:
    settings = state.settings
    uid = settings.file.owner.partition(":")[0]
    if settings.text is None or uid == str(state.uid):
        return ""
    if uid != "0":
        return f"{settings.path} belongs to another user (uid {uid}), neither to {state.user} nor to root"
    if links := _links_in_home(state):
        return f"{links[0]} is a link that leads to a file of root's own, {settings.real}"
    if settings.names > 1:
        return f"{settings.path} is a file of root's own that has other names too"
    return ""


def _links_in_home(state: State) -> tuple[str, ...]:
    return tuple(link for link in state.way.links if link.startswith(f"{state.home}/"))


def _is_in_home(state: State) -> bool:
    """True if a link leads to another place of the home; a home that is / has no inside."""
    return state.home_real != "/" and state.settings.real.startswith(f"{state.home_real}/")
