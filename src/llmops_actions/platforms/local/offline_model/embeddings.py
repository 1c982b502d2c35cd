"""Embeds a text by the character n-grams it is made of: texts that look alike come out alike."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections import Counter
from functools import lru_cache

DIMENSIONS = 256
GRAM_LENGTHS = (3, 4)


@lru_cache(maxsize=256)
def embed(text: str, dimensions: int = DIMENSIONS) -> tuple[float, ...]:
    """A vector of length 1 (0 if all n-grams cancel out). Letter case and the amount of white space do not matter.

    Each n-gram adds 1 + ln(its count) to the place that its hash names, with the sign that its hash gives
    (feature hashing, Weinberger et al. 2009).
    """
    spaced = f" {' '.join(text.lower().split())} "
    grams: Counter[str] = Counter()
    for length in GRAM_LENGTHS:
        grams.update(spaced[start : start + length] for start in range(max(1, len(spaced) - length + 1)))
    vector = [0.0] * dimensions
    for gram, times in grams.items():
        place, sign = divmod(_hash(gram), 2)
        weight = 1 + math.log(times)
        vector[place % dimensions] += weight if sign else -weight
    norm = math.sqrt(math.fsum(value * value for value in vector)) or 1.0
    return tuple(value / norm for value in vector)


def _hash(gram: str) -> int:
    """24 bits. A check sum is quick but linear; the middle of a product (Knuth, 6.4) parts overlapping grams."""
    return zlib.crc32(gram.encode("utf-8", "surrogatepass")) * 2654435761 >> 8 & 0xFFFFFF


def to_base64(vector: tuple[float, ...]) -> str:
    """The vector as little-endian 32-bit floats in base64, the form that OpenAI's clients ask for."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
