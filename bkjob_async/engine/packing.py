"""Codes and addresses as small numbers, so that a million hosts fit in little memory."""

from __future__ import annotations

from array import array

from bkjob_async.model.status import HOST_CODES, UNFINISHED_HOST_CODES

# One byte per status: 0 is "not seen in this execution", then the known codes, then unknown ones as they come.
NEVER = 0
_CODES: list[int | None] = [None, *HOST_CODES]
_SMALL: dict[int, int] = {code: small for small, code in enumerate(_CODES) if code is not None}
RARE = 255

OPEN = frozenset(_SMALL[code] for code in UNFINISHED_HOST_CODES)

ADDRESS = 1 << 63
STRANGE = 1 << 62
_CLOUDS = 1 << 30


def small_code(code: int) -> int:
    """Return one byte for a host code; `RARE` for more strange codes than a byte can name."""
    small = _SMALL.get(code)
    if small is None:
        if len(_CODES) >= RARE:
            return RARE
        small = _SMALL[code] = len(_CODES)
        _CODES.append(code)
    return small


def code_of(small: int) -> int | None:
    """Return the host code of a byte, None for `NEVER`."""
    return _CODES[small]


def packed_address(cloud: int, ip: str) -> int | None:
    """Return cloud area and IPv4 address as one number with the `ADDRESS` bit; None where they do not fit."""
    if not 0 <= cloud < _CLOUDS:
        return None
    try:
        first, second, third, fourth = map(int, ip.split("."))
    except ValueError:
        return None
    # Whatever else `int` reads (spaces, signs, zeros in front, other digits) does not come out as it went in.
    if not 0 <= first | second | third | fourth <= 255 or f"{first}.{second}.{third}.{fourth}" != ip:
        return None
    return ADDRESS | cloud << 32 | first << 24 | second << 16 | third << 8 | fourth


def unpacked_address(number: int) -> tuple[int, str]:
    """Return the cloud area and the IPv4 address that `packed_address` packed."""
    ip = f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return (number & ~ADDRESS) >> 32, ip


class Counts:
    """A column of ever larger numbers, four bytes each until they no longer fit."""

    __slots__ = ("_column",)

    def __init__(self) -> None:
        self._column = array("I")

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, index: int) -> int:
        return self._column[index]

    def append(self, number: int) -> None:
        """Add a number."""
        self._fit(number)
        self._column.append(number)

    def set(self, index: int, number: int) -> None:
        """Change a number."""
        self._fit(number)
        self._column[index] = number

    def _fit(self, number: int) -> None:
        if number >= 1 << 32 and self._column.typecode == "I":
            self._column = array("Q", self._column)
