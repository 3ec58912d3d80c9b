"""The hash chain of a file of JSON lines: each line ends in a hash over it and all before it.

A line is its record (the body), and a seal as its last fields::

    {"kind":"step",...,"salt":"<32 hex>","chain":"<64 hex>"}

Its digest is SHA-256(salt + body), where the body is the line without the seal, closed by ``}``.
Its chain is SHA-256(chain of the line before + digest). All are taken as they stand, in lower-case
hexadecimal. The first chain goes on from SHA-256 of the lines before it that have no seal, as older
files have them: of nothing, in a file that began with one.

Forgetting rewrites a line and keeps the chain. The seal then tells the former digest (``was``), the
day, and a hash of what stands there now::

    {"kind":"step",...,"was":"<64 hex>","on":"<day>","now":"<64 hex>","chain":"<64 hex>"}

The salt of the former line is gone, so that nobody can try texts out on its digest. A line that
went as a whole leaves its seal alone.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

START = sha256(b"").hexdigest().encode()
"""What the first line of a file goes on from."""
GONE = b"\n"
"""Stands for the body of a line that was taken out as a whole: no line can hold it."""
_SALT, _CHAIN, _WAS = b',"salt":"', b'","chain":"', b',"was":"'
_CHAIN_AT = -len(_CHAIN) - 64 - 2
_SALT_AT = _CHAIN_AT - 32 - len(_SALT)
_WAS_AT = _CHAIN_AT - (64 + len(b'","on":"') + 10 + len(b'","now":"') + 64) - len(_WAS)
_SALTED = re.compile(rb',"salt":"([0-9a-f]{32})","chain":"([0-9a-f]{64})"\}')
_REWRITTEN = re.compile(
    rb'[,{]"was":"([0-9a-f]{64})","on":"(\d{4}-\d\d-\d\d)","now":"([0-9a-f]{64})"'
    rb',"chain":"([0-9a-f]{64})"\}'
)
_WHOLE_SEAL = re.compile(rb'","chain":"[0-9a-f]{64}"\}')


@dataclass(frozen=True, slots=True)
class LineSeal:
    """What a line says of its own hash."""

    digest: bytes
    """Of the line as it was first written."""
    chain: bytes
    on: str | None = None
    """Day on which the line was rewritten; ``None`` of one that stands as it was written."""
    intact: bool = True
    """Whether a rewritten line still is what it was rewritten to."""


def split_line(line: bytes) -> tuple[bytes, LineSeal | None]:
    """Return a line's body, and its seal; a line without a whole one stands as it is."""
    if found := _SALTED.fullmatch(line, max(0, len(line) + _SALT_AT)):
        body = line[:_SALT_AT] + b"}"
        return body, LineSeal(_hash(found[1], body), found[2])
    if found := _REWRITTEN.fullmatch(line, max(0, len(line) + _WAS_AT)):
        body = line[:_WAS_AT] + b"}" if len(line) > -_WAS_AT else GONE
        was, on, now, chain = found.groups()
        return body, LineSeal(was, chain, on.decode(), intact=_hash(on, body) == now)
    return line, None


def body_of(line: bytes) -> bytes:
    """Return a line without its seal, without computing a hash."""
    if _SALTED.fullmatch(line, max(0, len(line) + _SALT_AT)):
        return line[:_SALT_AT] + b"}"
    return split_line(line)[0]


def looks_sealed(line: bytes) -> bool:
    """Whether a line had a seal, of which any one byte may have changed since."""
    return (
        line[_CHAIN_AT : _CHAIN_AT + len(_CHAIN)] == _CHAIN
        or line[_SALT_AT : _SALT_AT + len(_SALT)] == _SALT
        or line[_WAS_AT : _WAS_AT + len(_WAS)] in (_WAS, b'{"was":"')
    )


def ends_in_seal(tail: bytes) -> bool:
    """Whether bytes without a newline hold a whole line, and then something that is no zero."""
    found = _WHOLE_SEAL.search(tail)
    return found is not None and bool(tail[found.end() :].strip(b"\0"))


def seal_line(body: bytes, chain: bytes) -> tuple[bytes, bytes]:
    """Return a new line without its newline, and its chain; it follows one of a given chain.

    Raises ``ValueError`` for what is no JSON object with a field.
    """
    if not _is_object(body):
        raise ValueError("only a JSON object can be sealed")
    salt = secrets.token_hex(16).encode()
    chain = _hash(chain, _hash(salt, body))
    return b"".join((body[:-1], _SALT, salt, _CHAIN, chain, b'"}')), chain


def _is_object(body: bytes) -> bool:
    return body.startswith(b"{") and body.endswith(b"}") and len(body) > len(b"{}")


def seal_lines(bodies: Iterable[bytes], chain: bytes = START) -> tuple[bytes, bytes]:
    """Return new lines with their newlines, and the last one's chain."""
    sealed = []
    for body in bodies:
        line, chain = seal_line(body, chain)
        sealed.append(line + b"\n")
    return b"".join(sealed), chain


def rewrite_line(line: bytes, body: bytes, on: str) -> bytes:
    """Put another body into a sealed line, whose chain stays; ``GONE`` takes the line out.

    Damage stays to be told: ``was`` is the digest of what stood there, and ``now`` fits nothing
    where a rewritten line had changed since.
    """
    _, seal = split_line(line)
    if seal is None:
        raise ValueError("only a sealed line can be rewritten")
    now = _hash(on.encode(), body) if seal.intact else _unfit()
    return _with_seal(body, seal.digest, on, now, seal.chain)


def _with_seal(body: bytes, was: bytes, on: str, now: bytes, chain: bytes) -> bytes:
    told = b'"was":"%b","on":"%b","now":"%b","chain":"%b"}' % (was, on.encode(), now, chain)
    return b"{" + told if body == GONE else body[:-1] + b"," + told


def _unfit() -> bytes:
    """Return what stands in the place of a hash, and is none."""
    return secrets.token_hex(32).encode()


def _hash(first: bytes, second: bytes) -> bytes:
    return sha256(first + second).hexdigest().encode()


class ChainWalk:
    """Follows the chain of one file from its first line on."""

    def __init__(self) -> None:
        self.end = START
        """What the next line goes on from."""
        self.lines = 0
        self.unsealed = 0
        """Lines of an older file, before the first one that has a seal."""
        self.rewritten: Counter[str] = Counter()
        """By day; lines that went as a whole included."""
        self._ends: tuple[bytes, ...] = (START,)
        """Chains that may come before the next line; none where that cannot be told."""
        self._prefix = sha256()

    def take(self, line: bytes) -> tuple[bytes, str | None]:
        """Take the next line in; return its body, and what is wrong with it."""
        self.lines += 1
        if (found := _SALTED.fullmatch(line, max(0, len(line) + _SALT_AT))) and self._ends:
            body = line[:_SALT_AT] + b"}"  # as nearly all lines are
            if _hash(self.end, _hash(found[1], body)) == found[2]:
                self.end = found[2]
                self._ends = (self.end,)
                return body, None
        body, seal = split_line(line)
        if seal is None:
            return body, self._take_unsealed(line)
        due = [_hash(end, seal.digest) for end in self._ends]
        self.end, self._ends = seal.chain, (seal.chain,)
        if seal.on is not None:
            self.rewritten[seal.on] += 1
        if due and seal.chain not in due:
            self._ends = (seal.chain, *due)  # the line may have changed, or its chain
            return body, "its hash is another: it was changed, or a line before it is missing."
        return body, None if seal.intact else "it was rewritten, and has changed since."

    def _take_unsealed(self, line: bytes) -> str | None:
        sealed = looks_sealed(line) or ends_in_seal(line)
        if self.unsealed == self.lines - 1 and not sealed:
            self.unsealed += 1
            self._prefix.update(line + b"\n")
            self.end = self._prefix.hexdigest().encode()
            self._ends = (self.end,)
            return None
        self.end, self._ends = chain_after(line), ()
        return "it bears no whole hash, as the lines before it do."


def chain_after(line: bytes) -> bytes:
    """Return what goes on from a line whose seal may be damaged."""
    _, seal = split_line(line)
    return sha256(line).hexdigest().encode() if seal is None else seal.chain


def follows(line: bytes, chain: bytes) -> bool:
    """Whether a line is whole, and the one that was written after a chain."""
    _, seal = split_line(line)
    return seal is not None and seal.intact and _hash(chain, seal.digest) == seal.chain


def rewrite_lines(lines: Sequence[bytes], bodies: Sequence[bytes], on: str) -> bytes:
    """Return a file whose lines have other bodies, one for each; ``GONE`` takes a line out.

    Each line keeps its chain, so that damage is told as before. Lines of an older file have none.
    Where one of these changes, sealed ones after it follow anew, up to the first that is damaged.
    """
    walk, made, faults = ChainWalk(), list[bytes](), list[str | None]()
    for line, body in zip(lines, bodies, strict=True):
        old, fault = walk.take(line)
        made.append(line if old == body else _rewritten(line, body, on, fault))
        faults.append(fault)
    older = made[: walk.unsealed]
    if older != list(lines[: walk.unsealed]):
        chain = sha256(b"".join(line + b"\n" for line in older if line)).hexdigest().encode()
        for number in range(len(older), len(made)):
            if faults[number] is not None:
                break
            made[number], chain = _rechain(made[number], chain)
    return b"".join(line + b"\n" for line in made if line)


def _rewritten(line: bytes, body: bytes, on: str, fault: str | None) -> bytes:
    """Return a line with another body; nothing where none is left of an older file's line.

    A damaged line without a whole seal goes, and a seal that fits nothing tells of it.
    """
    if split_line(line)[1] is not None:
        return rewrite_line(line, body, on)
    if fault is not None:
        return _with_seal(GONE, _unfit(), on, now=_unfit(), chain=_unfit())
    return b"" if body == GONE else body


def reseal(copies: Iterable[Sequence[bytes]], bodies: Sequence[bytes]) -> bytes:
    """Return a file of given bodies, whose lines keep the seals of a copy as far as they can.

    ``copies``: lines of files as they stand. The one that begins with the most of the bodies gives
    the beginning. From the first line that differs on, the chain is made anew; lines of the copies
    keep their salts, so that the same lines in the same order are the same bytes. A damaged line
    stays as it stands.
    """
    known = list(copies)
    begun, done = max((_begin_alike(lines, bodies) for lines in known), key=lambda one: one[1])
    walk = ChainWalk()
    for line in begun:
        walk.take(line)
    made, chain = list(begun), walk.end
    sealed, damaged = _known_seals(known)
    for body in bodies[done:]:
        if body in damaged or not (body in sealed or _is_object(body)):
            line = damaged.get(body, body)
            chain = chain_after(line)
        elif body in sealed:
            line, chain = _rechain(sealed[body], chain)
        else:
            line, chain = seal_line(body, chain)
        made.append(line)
    return b"".join(line + b"\n" for line in made)


def _known_seals(
    copies: Iterable[Sequence[bytes]],
) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Return the sealed lines of files by their bodies: whole ones, and damaged ones."""
    sealed, damaged = dict[bytes, bytes](), dict[bytes, bytes]()
    for lines in copies:
        walk = ChainWalk()
        for line in lines:
            body, fault = walk.take(line)
            if fault is not None:
                damaged[body] = line
            elif looks_sealed(line):
                sealed[body] = line
    return sealed, damaged


def _rechain(line: bytes, chain: bytes) -> tuple[bytes, bytes]:
    """Let a whole line follow another one; return it, and its chain."""
    _, seal = split_line(line)
    if seal is None:
        raise ValueError("only a sealed line can be put elsewhere")
    chain = _hash(chain, seal.digest)
    return line[: _CHAIN_AT + len(_CHAIN)] + chain + b'"}', chain


def _begin_alike(lines: Sequence[bytes], bodies: Sequence[bytes]) -> tuple[Sequence[bytes], int]:
    """Return the lines up to the first that differs, and how many of the bodies they hold."""
    done = 0
    for number, line in enumerate(lines):
        body = body_of(line)
        if body != GONE and (done == len(bodies) or bodies[done] != body):
            return lines[:number], done
        done += body != GONE
    return lines, done
