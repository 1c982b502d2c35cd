"""Kinds of school problems: recognises a question by its words and writes the formula with the question's numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A program: lines that prepare, the expression of the result, and the module that it needs, if any."""

    result: str
    lines: tuple[str, ...] = ()
    module: str = ""


Numbers = list[str]
_Builder = Callable[[str, Numbers], "Program | None"]

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:/\d+)?(?![\d])")
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_NUMBER_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.IGNORECASE)
_EXPRESSION = re.compile(r"[(\d][\d\s.()*/+^-]*[-+*/^][\d\s.()*/+^-]*[\d)]")
_FORMAT_WISH = re.compile(r"round(?:ed)? to .*?(?:decimals?(?: places)?|digits)\.?", re.IGNORECASE)
_TERM = r"(?:\d+(?:\.\d+)?[a-z]?|[a-z])(?:\^\d)?(?![a-z])"
_SIDE = rf"(?<![a-z\d])(?:- ?)?{_TERM}(?: ?[-+*/] ?{_TERM})*"
_EQUATION = re.compile(rf"({_SIDE}) ?= ?({_SIDE})")
_POLYNOMIAL = re.compile(
    r"of (?:the function )?(?:f\(x\) = )?([\d.x^+\s*-]*x[\d.x^+\s*-]*?)(?= (?:at|from|when|for|between)\b|[?.]|$)"
)


def program_for(question: str, *, several_steps: bool) -> Program:
    """The program for a question.

    Problems of several steps are seen through only with `several_steps`; otherwise, and for a question of no known
    kind, the numbers are put together in the way that one word suggests.
    """
    plain = _FORMAT_WISH.sub("", question)
    text = plain.lower()
    numbers = _numbers(text)
    for pattern, steps, builder in _KINDS:
        if (several_steps or not steps) and re.search(pattern, text):
            program = _built(builder, text, numbers)
            if program:
                return program
    return _guess(text, numbers)


def _built(builder: _Builder, text: str, numbers: Numbers) -> Program | None:
    try:
        return builder(text, numbers)
    except (IndexError, StopIteration, ValueError):
        return None


def _numbers(text: str) -> Numbers:
    spelled = _NUMBER_WORD.sub(lambda word: str(_WORDS[word[1].lower()]), text)
    return _NUMBER.findall(spelled)


def _listed(numbers: Numbers) -> str:
    return f"[{', '.join(numbers)}]"


def _guess(text: str, numbers: Numbers) -> Program:
    expression = _EXPRESSION.search(text)
    if expression and not re.search(r"[a-z]\s*=|=\s*[a-z]", text):
        return Program(_python(expression[0]))
    if not numbers:
        return Program("0")
    sign = "*" if re.search(r"\b(?:each|per|times|every)\b", text) else "+"
    sign = "-" if re.search(r"\b(?:left|remains?|fewer|less|lose|loses|difference)\b", text) else sign
    return Program(f" {sign} ".join(numbers[:3]))


def _python(expression: str) -> str:
    spaced = re.sub(r"(?<=\d)(?=[a-z(])|(?<=\))(?=[\da-z(])", " * ", expression.replace("^", " ** "))
    return re.sub(r"\s+", " ", re.sub(r"(?<!\*)([-+/]|\*{1,2})(?!\*)", r" \1 ", spaced)).strip()


def _equation(text: str, _n: Numbers) -> Program | None:
    found = _EQUATION.search(text)
    if not found:
        return None
    letter = re.search(r"[a-z]", found[1] + found[2])
    if not letter:
        return None
    left, right = (_python(side) for side in found.groups())
    difference = f"({left}) - ({right})"
    if "**" in difference:
        best = "min" if re.search(r"small|less", text) else "max"
        return Program(f"{best}({letter[0]} for {letter[0]} in range(-1000, 1001) if {difference} == 0)")
    return Program(
        "-f(0) / (f(1) - f(0))",
        (f"def f({letter[0]}):", f"    return {difference}", "", ""),
    )


def _polynomial(text: str) -> str:
    found = _POLYNOMIAL.search(text)
    if not found:
        raise ValueError(text)
    return _python(found[1].strip())


def _derivative(text: str, numbers: Numbers) -> Program:
    body = _polynomial(text)
    return Program(
        f"round((f({numbers[-1]} + h) - f({numbers[-1]} - h)) / (2 * h), 6)",
        ("h = 0.0001", "", "", "def f(x):", f"    return {body}", "", ""),
    )


def _integral(text: str, numbers: Numbers) -> Program:
    low, high = numbers[-2:]
    return Program(
        f"round(sum(f({low} + (i + 0.5) * width) for i in range(steps)) * width, 4)",
        (
            "steps = 10000",
            f"width = ({high} - {low}) / steps",
            "",
            "",
            "def f(x):",
            f"    return {_polynomial(text)}",
            "",
            "",
        ),
    )


def _percent_change(text: str, numbers: Numbers) -> Program:
    percent = re.search(r"([\d.]+) ?(?:%|percent)", text)
    base = next(number for number in numbers if not percent or number != percent[1])
    sign = "-" if re.search(r"reduc|discount|decreas|fall|drop|less|off\b|cheaper", text) else "+"
    return Program(f"{base} * (1 {sign} {percent[1] if percent else numbers[1]} / 100)")


def _percent_of(text: str, _n: Numbers) -> Program | None:
    found = re.search(r"([\d.]+) ?(?:%|percent) of (?:the )?([\d.]+)", text)
    return Program(f"{found[2].rstrip('.')} * {found[1]} / 100") if found else None


def _cylinder_or_sphere(text: str, n: Numbers) -> Program:
    if "sphere" in text or "ball" in text:
        return Program(f"4 / 3 * math.pi * {n[0]} ** 3", module="math")
    if "cone" in text:
        return Program(f"math.pi * {n[0]} ** 2 * {n[1]} / 3", module="math")
    if "cylinder" in text:
        return Program(f"math.pi * {n[0]} ** 2 * {n[1]}", module="math")
    return Program(f"{n[0]} ** 3" if "cube" in text else " * ".join(n[:3]))


def _circle(text: str, n: Numbers) -> Program:
    radius = f"({n[0]} / 2)" if "diameter" in text else n[0]
    if re.search(r"circumference|perimeter", text):
        return Program(f"2 * math.pi * {radius}", module="math")
    return Program(f"math.pi * {radius} ** 2", module="math")


def _perimeter(text: str, n: Numbers) -> Program:
    if "square" in text and len(n) == 1:
        return Program(f"4 * {n[0]}")
    return Program(f"2 * ({n[0]} + {n[1]})" if "rectang" in text else " + ".join(n))


def _area(text: str, n: Numbers) -> Program:
    if "triangle" in text:
        return Program(f"{n[0]} * {n[1]} / 2")
    return Program(f"{n[0]} ** 2" if len(n) == 1 else f"{n[0]} * {n[1]}")


def _integers(text: str, n: Numbers) -> Program:
    multiple = re.search(r"multiples? of (\d+)", text)
    step = multiple[1] if multiple else "2" if re.search(r"\b(?:even|odd)\b", text) else "1"
    low, high = (n[-2], n[-1]) if len(n) >= 2 and not (multiple and len(n) == 2) else (step, n[-1])
    low = "1" if low == "0" else low
    if "first" in text:
        start = "1" if "odd" in text or step == "1" else step
        return Program(f"sum(range({start}, {start} + {step} * {n[-1]}, {step}))")
    end = high if re.search(r"below|less than|under", text) else f"{high} + 1"
    return Program(f"sum(range({low}, {end}, {step}))")


def _primes(text: str, n: Numbers) -> Program:
    end = n[-1] if re.search(r"below|less|under", text) else f"{n[-1]} + 1"
    what = "sum" if "sum" in text else "len"
    lines = (f"primes = [n for n in range(2, {end}) if all(n % d for d in range(2, n))]",)
    return Program(f"{what}(primes)", lines)


def _fibonacci(_text: str, n: Numbers) -> Program:
    return Program("a", ("a, b = 1, 1", f"for _ in range({n[0]} - 1):", "    a, b = b, a + b"))


def _choose(_text: str, n: Numbers) -> Program:
    small, large = sorted((int(n[0]), int(n[1])))
    return Program(f"math.comb({large}, {small})", module="math")


def _interest(text: str, n: Numbers) -> Program:
    rate = re.search(r"([\d.]+) ?(?:%|percent)", text)
    if not rate:
        raise ValueError(text)
    years = re.search(r"([\d.]+) years?", text)
    base = next(number for number in n if number != rate[1])
    time = years[1] if years else n[-1]
    if "simple" in text:
        return Program(f"{base} * {rate[1]} / 100 * {time}")
    return Program(f"{base} * (1 + {rate[1]} / 100) ** {time}")


def _speed(text: str, n: Numbers) -> Program:
    if re.search(r"how fast|speed(?! of)", text) and "at a" not in text:
        return Program(f"{n[0]} / {n[1]}")
    if re.search(r"how long", text):
        return Program(f"{n[0]} / {n[1]}")
    return Program(f"{n[0]} * {n[1]}")


_FACTORS = {
    ("hours", "minutes"): "60",
    ("minutes", "seconds"): "60",
    ("hours", "seconds"): "3600",
    ("days", "hours"): "24",
    ("weeks", "days"): "7",
    ("kilometres", "metres"): "1000",
    ("kilometers", "meters"): "1000",
    ("metres", "centimetres"): "100",
    ("kilograms", "grams"): "1000",
    ("litres", "millilitres"): "1000",
}


def _convert(text: str, n: Numbers) -> Program | None:
    if "fahrenheit" in text and "celsius" in text:
        to_celsius = text.index("fahrenheit") < text.index("celsius")
        return Program(f"({n[0]} - 32) * 5 / 9" if to_celsius else f"{n[0]} * 9 / 5 + 32")
    for (large, small), factor in _FACTORS.items():
        places = [re.search(rf"\b{unit}\b", text) for unit in (large, small)]
        if places[0] and places[1]:
            from_large = re.search(rf"[\d.]+ {large}\b", text)
            return Program(f"{n[0]} {'*' if from_large else '/'} {factor}")
    return None


def _dice(_text: str, n: Numbers) -> Program:
    lines = (f"throws = [(a, b) for a in range(1, 7) for b in range(1, 7) if a + b == {n[-1]}]",)
    return Program("len(throws) / 36", lines)


def _coins(_text: str, n: Numbers) -> Program:
    heads = n[-1]
    return Program(f"math.comb({n[0]}, {heads}) / 2 ** {n[0]}", module="math")


def _ratio(text: str, n: Numbers) -> Program:
    parts = re.search(r"(\d+) ?: ?(\d+)", text)
    if not parts:
        raise ValueError(text)
    total = next(number for number in n if number not in (parts[1], parts[2]))
    share = "min" if "small" in text else "max"
    return Program(f"{total} * {share}({parts[1]}, {parts[2]}) / ({parts[1]} + {parts[2]})")


def _sales(text: str, _n: Numbers) -> Program | None:
    pairs = re.findall(r"([\d.]+) \w+ (?:at|for) ([\d.]+)", text)
    return Program(" + ".join(f"{count} * {price}" for count, price in pairs)) if pairs else None


def _gives(text: str, _n: Numbers) -> Program | None:
    found = re.search(r"has ([\d.]+) .*?gives ([\d.]+) (?:\w+ )?to each of ([\d.]+)", text)
    if not found:
        return None
    more = re.search(r"(?:buys|gets|finds|receives) ([\d.]+)", text)
    return Program(f"{found[1]} - {found[2]} * {found[3]}" + (f" + {more[1]}" if more else ""))


def _rule_of_three(_text: str, n: Numbers) -> Program:
    return Program(f"{n[1]} / {n[0]} * {n[2]}")


def _used_up(_text: str, n: Numbers) -> Program:
    return Program(f"{n[0]} - {n[1]} * {n[2]}")


def _points(_text: str, n: Numbers) -> Program:
    return Program(f"math.hypot({n[2]} - {n[0]}, {n[3]} - {n[1]})", module="math")


_KINDS: tuple[tuple[str, bool, _Builder], ...] = (
    (r"derivative|slope of", False, _derivative),
    (r"integral|integrate", False, _integral),
    (r"=", False, _equation),
    (r"distance between .*\(", False, _points),
    (r"hypotenuse", False, lambda _, n: Program(f"math.hypot({n[0]}, {n[1]})", module="math")),
    (r"interest", True, _interest),
    (r"\bratio\b", True, _ratio),
    (r"average speed|how far|how fast|km/h|speed", False, _speed),
    (r"\b(?:average|mean)\b", False, lambda _, n: Program("sum(values) / len(values)", (f"values = {_listed(n)}",))),
    (
        r"median",
        False,
        lambda _, n: Program("statistics.median(values)", (f"values = {_listed(n)}",), "statistics"),
    ),
    (r"range of", False, lambda _, n: Program("max(values) - min(values)", (f"values = {_listed(n)}",))),
    (r"volume", False, _cylinder_or_sphere),
    (r"circle|circumference", False, _circle),
    (r"surface area.*cube|cube.*surface area", True, lambda _, n: Program(f"6 * {n[0]} ** 2")),
    (r"perimeter", False, _perimeter),
    (r"\barea\b", False, _area),
    (
        r"(?:greatest|highest) common (?:divisor|factor)|\bgcd\b",
        False,
        lambda _, n: Program(f"math.gcd({n[0]}, {n[1]})", module="math"),
    ),
    (
        r"(?:least|lowest) common multiple|\blcm\b",
        False,
        lambda _, n: Program(f"{n[0]} * {n[1]} // math.gcd({n[0]}, {n[1]})", module="math"),
    ),
    (r"\bprimes?\b", False, _primes),
    (r"fibonacci", False, _fibonacci),
    (r"digits of", False, lambda _, n: Program(f"sum(int(digit) for digit in str({n[0]}))")),
    (r"sum of (?:all |the )?(?:first )?.*(?:integers|numbers|multiples)", False, _integers),
    (r"factorial|arrange", False, lambda _, n: Program(f"math.factorial({n[0]})", module="math")),
    (r"chosen from|choose|combinations", False, _choose),
    (r"remainder|modulo", False, lambda _, n: Program(f"{n[0]} % {n[1]}")),
    (r"square root", False, lambda _, n: Program(f"math.sqrt({n[0]})", module="math")),
    (r"dice.*sum|sum.*dice", True, _dice),
    (r"coin.*exactly", True, _coins),
    (r"(?:%|percent) of", False, _percent_of),
    (r"(?:%|percent)", False, _percent_change),
    (r"convert|how many (?:minutes|hours|seconds|days|metres|meters|grams)", False, _convert),
    (r"gives .*each of", True, _gives),
    (r"\beach\b.*\band\b.*\beach\b", True, _sales),
    (r"left after|(?:a|per) (?:day|hour|week).*(?:left|remain)", True, _used_up),
    (r"costs? .*what (?:do|does|would) .* cost", True, _rule_of_three),
)
