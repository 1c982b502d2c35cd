"""Embeds a text by the character n-grams it is made of: texts that look alike come out alike."""

from __future__ import annotations

import base64
import math
import sys
import zlib
from array import array
from collections import Counter
from functools import lru_cache

DIMENSIONS = 256
GRAM_LENGTHS = (3, 4)


@lru_cache(maxsize=256)
def embed(text: str, dimensions: int = DIMENSIONS) -> tuple[float, ...]:
    """A vector of length 1. Letter case and the amount of white space do not matter.

    Each n-gram adds 1 + ln(its count) to the place that its hash names, with the sign that its hash gives
    (feature hashing, Weinberger et al. 2009).
    """
    spaced = f" {' '.join(text.lower().split())} "
    grams: Counter[str] = Counter()
    for length in GRAM_LENGTHS:
        grams.update(spaced[start : start + length] for start in range(max(1, len(spaced) - length + 1)))
    vector = [0.0] * dimensions
    for gram, times in grams.items():
        hashed = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
        weight = 1 + math.log(times)
        vector[(hashed >> 1) % dimensions] += weight if hashed & 1 else -weight
    norm = math.sqrt(math.fsum(value * value for value in vector))
    if not norm:
        return (1.0, *vector[1:])
    return tuple(value / norm for value in vector)


def to_base64(vector: tuple[float, ...]) -> str:
    """The vector as little-endian 32-bit floats in base64, the form that OpenAI's clients ask for."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return base64.b64encode(floats.tobytes()).decode("ascii")
