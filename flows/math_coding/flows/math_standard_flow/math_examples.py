"""The worked examples that the prompt shows."""

from promptflow.core import tool


@tool
def math_examples() -> list:
    """Questions with a program each; none of the questions is in the dataset."""
    return [
        {
            "question": "A ladder of 5 m leans against a wall, its foot 1.4 m away. How high does it reach?",
            "code": "import math\n\nladder = 5\nfoot = 1.4\nprint(math.sqrt(ladder ** 2 - foot ** 2))",
        },
        {
            "question": "Tom reads 12 pages a day. A book has 300 pages, and he has read 36. How many days are left?",
            "code": "pages = 300 - 36\nprint(pages / 12)",
        },
    ]
