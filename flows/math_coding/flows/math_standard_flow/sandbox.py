"""The child process that runs a program from standard input: `python -I -S sandbox.py`.

Three walls, each enough for most of what may come: the syntax tree may hold only what school mathematics needs; the
program sees a handful of built-in functions and the public functions of six modules, never the modules themselves;
and the kernel limits processor time, memory, files and processes. It exits with 0, or with 3 after a line that says
what was wrong.
"""

import ast
import sys

CPU_SECONDS = 2
MEMORY_BYTES = 256 * 1024 * 1024
REFUSED = 3

MODULES = ("math", "cmath", "fractions", "decimal", "statistics", "itertools")


def _names(text):
    return frozenset(text.split())


BUILTINS = _names(
    """abs all any bool complex dict divmod enumerate filter float frozenset int len list map max min pow print range
    reversed round set sorted str sum tuple zip ArithmeticError Exception IndexError KeyError OverflowError TypeError
    ValueError ZeroDivisionError"""
)
SYNTAX = _names(
    """Module Expr Assign AugAssign AnnAssign FunctionDef Return Pass If For While Break Continue Assert Try
    ExceptHandler Raise Import ImportFrom alias arguments arg keyword Lambda comprehension BoolOp BinOp UnaryOp Compare
    IfExp Call Constant Name Attribute Subscript Slice Starred NamedExpr List Tuple Set Dict ListComp SetComp DictComp
    GeneratorExp JoinedStr FormattedValue Load Store And Or Not Invert UAdd USub Add Sub Mult Div FloorDiv Mod Pow
    LShift RShift BitOr BitXor BitAnd MatMult Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn"""
)


class RefusedError(Exception):
    """The program holds something that it must not."""


def public(module):
    """The public functions and types of a module, without the modules that it imports itself."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    values = {name: getattr(module, name) for name in names if not name.startswith("_")}
    return {name: value for name, value in values.items() if type(value) is not type(sys)}


def namespace(values):
    """An object with these attributes and nothing behind it."""
    return type("Module", (), {"__slots__": (), **{name: constant(value) for name, value in values.items()}})()


def constant(value):
    """A value as a class attribute that does not become a method."""
    return property(lambda _self, value=value: value)


def check(tree, attributes):
    """Raise RefusedError unless every part of the tree is on the lists."""
    for node in ast.walk(tree):
        kind = type(node).__name__
        if kind not in SYNTAX:
            raise RefusedError(f"{kind} is not allowed")
        if isinstance(node, ast.Attribute) and node.attr not in attributes:
            raise RefusedError(f"the attribute {node.attr!r} is not allowed")
        for name in names_of(node):
            if name.startswith("_") and name != "_":
                raise RefusedError(f"the name {name!r} is not allowed")
        if isinstance(node, ast.Import):
            for alias in node.names:
                known_module(alias.name)
        if isinstance(node, ast.ImportFrom):
            known_module(node.module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "__" in node.value:
            raise RefusedError("two underscores are not allowed")


def names_of(node):
    """The names that a node defines or uses."""
    values = (getattr(node, field, None) for field in ("id", "arg", "name", "asname"))
    return [value for value in values if isinstance(value, str)]


def known_module(name):
    """Raise RefusedError unless the module is one of mathematics."""
    if name not in MODULES:
        raise RefusedError(f"the module {name!r} is not allowed")


def importer(modules):
    """What `import` means to the program: the public parts of the known modules."""

    def load(name, _globals=None, _locals=None, wanted=(), level=0):
        known_module(None if level else name)
        if wanted and "*" in wanted:
            raise RefusedError("import * is not allowed")
        return modules[name]

    return load


def limit():
    """Ask the kernel to hold this process to arithmetic. Raises ImportError where there are no such limits."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if sys.platform != "darwin":  # macOS knows the limit and refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if hasattr(resource, "RLIMIT_NPROC"):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def execute(code):
    """Check and run a program."""
    loaded = {name: public(__import__(name)) for name in MODULES}
    kinds = (str, list, dict, set, tuple, int, float, complex, loaded["fractions"]["Fraction"])
    kinds += (loaded["decimal"]["Decimal"],)
    attributes = {name for kind in kinds for name in dir(kind) if not name.startswith("_")}
    attributes |= {name for values in loaded.values() for name in values}
    attributes -= {"format_map"}
    builtins = vars(sys.modules["builtins"])
    allowed = {name: builtins[name] for name in BUILTINS}
    allowed["__import__"] = importer({name: namespace(values) for name, values in loaded.items()})
    limit()
    tree = ast.parse(code)
    check(tree, attributes)
    exec(compile(tree, "<program>", "exec"), {"__builtins__": allowed, "__name__": "program"})  # noqa: S102 - see above


def main():
    """Run standard input; the last line of the output says why, if it does not end well."""
    try:
        execute(sys.stdin.read())
        sys.stdout.flush()
    except RefusedError as error:
        problem = f"refused: {error}"
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is reported in one way
        problem = f"{type(error).__name__}: {error}"
    else:
        return 0
    sys.stdout.write("\n" + " ".join(problem.split())[:300] + "\n")
    sys.stdout.flush()
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
