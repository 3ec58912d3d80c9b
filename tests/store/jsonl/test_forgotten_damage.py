"""Whatever is forgotten of a damaged file, its damage is told afterwards as it was before."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from store.jsonl.append_only import divide
from store.jsonl.hash_chain import GONE, ChainWalk, rewrite_lines, seal_line

SECRET = re.compile(rb"secret-\d")
KEEP, SILENCE, DROP = "keep", "silence", "drop"
FOREIGN = b'{"number":9,"text":"secret-9"}'


def kept_file(older: int, sealed: int) -> list[bytes]:
    """Return the lines of a file whose first ones have no seals."""
    lines, walk = list[bytes](), ChainWalk()
    for number in range(older + sealed):
        line = b'{"number":%d,"text":"secret-%d"}' % (number, number)
        lines.append(line if number < older else seal_line(line, walk.end)[0])
        walk.take(lines[-1])
    return lines


def damage(lines: list[bytes], kind: str, first: int, second: int) -> list[bytes]:
    broken, at, other = list(lines), first % len(lines), second % len(lines)
    if kind == "flip":
        content = bytearray(b"".join(line + b"\n" for line in lines))
        content[first % len(content)] ^= 1 << second % 8
        return divide(bytes(content))[0]
    if kind == "delete":
        del broken[at]
    elif kind == "swap":
        broken[at], broken[other] = broken[other], broken[at]
    elif kind == "double":
        broken.insert(other, lines[at])
    elif kind == "insert":
        broken.insert(at, FOREIGN)
    return broken


def check(lines: list[bytes], broken: list[bytes], what: list[str]) -> bool:
    """Forget, and check what is left; return whether something was damaged and told."""
    before = ChainWalk()
    taken = [before.take(line) for line in broken]
    acts = [what[number % len(what)] for number in range(len(broken))]
    silent = {KEEP: None, SILENCE: b'{"number":0}', DROP: GONE}
    bodies = [silent[act] or body for act, (body, _) in zip(acts, taken, strict=True)]
    made = rewrite_lines(broken, bodies, "2026-01-31")

    forgotten = {
        text
        for (body, _), act in zip(taken, acts, strict=True)
        if act != KEEP
        for text in SECRET.findall(body)
    }
    kept = b"".join(line for line, act in zip(broken, acts, strict=True) if act == KEEP)
    assert not [text for text in forgotten if text in made and text not in kept]

    stay = [n for n, act in enumerate(acts) if act != DROP or n >= before.unsealed]
    after = ChainWalk()
    left = made.split(b"\n")[:-1]
    faults = [after.take(line)[1] for line in left]
    assert len(faults) == len(stay)
    told = [number for number, (_, fault) in enumerate(taken) if fault is not None]
    older = left[: after.unsealed]
    if broken[: before.unsealed] != older and older == lines[: after.unsealed]:
        told = [number for number in told if number > before.unsealed]  # what was put in went
    assert None not in [faults[stay.index(number)] for number in told]
    if broken == lines:
        assert not any(faults)
        if KEEP in acts and all(act == KEEP for act in acts[: before.unsealed]):
            assert [line[-66:] for line in left[before.unsealed :]] == [
                line[-66:] for line in lines[before.unsealed :]
            ], "a head changed"
    return bool(told)


def test_damage_is_told_whatever_is_forgotten() -> None:
    met = {"none": 0, "flip": 0, "delete": 0, "swap": 0, "double": 0, "insert": 0}
    numbers = st.integers(0, 5_000)

    @settings(max_examples=600, derandomize=True, deadline=None)
    @given(
        st.integers(0, 3),
        st.integers(0, 4),
        st.sampled_from(sorted(met)),
        numbers,
        numbers,
        st.lists(st.sampled_from([KEEP, SILENCE, DROP]), min_size=1, max_size=7),
    )
    def run(older: int, sealed: int, kind: str, first: int, second: int, what: list[str]) -> None:
        if older + sealed == 0:
            return
        lines = kept_file(older, sealed)
        met[kind] += check(lines, damage(lines, kind, first, second), what)

    run()
    assert met.pop("none") == 0
    assert min(met.values()) > 10, met  # each kind of damage was really met
